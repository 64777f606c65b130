"""The messages of a simulation, read from a file."""

import itertools
import secrets
from collections.abc import Iterator
from contextlib import suppress

from ..errors import SettingsError
from ..messages import InputMessage
from ..transports.message_files import may_wait, read_messages, read_telemetry
from .options import Options


def messages_of(options: Options) -> tuple[Iterator[InputMessage], bool]:
    """Give the messages to send, and say whether they are waited for.

    The file is opened here, so that a wrong one is known before anything starts.

    Raises:
        SettingsError: there is none, or it cannot be read.
    """
    path = options.messages or options.telemetry
    if path is None:
        raise SettingsError("give --telemetry FILE or --messages FILE: there is nothing to send")
    messages = read_messages(path) if options.messages else read_telemetry(path, secrets.token_hex(3))
    return itertools.islice(messages, options.limit), may_wait(path)


def left_of(messages: Iterator[InputMessage]) -> int:
    """Count the messages that were not read; of a file that cannot be read to its end those before."""
    count = 0
    with suppress(SettingsError):
        for _ in messages:
            count += 1
    return count
