"""Follows a rollout until every device has arrived, for a limited time; a line for each change."""

import time
from collections.abc import Callable

from ...errors import PackagingError


def until_done(look: Callable[[], tuple[bool, str]], *, timeout: float, every: float) -> None:
    """Look every few seconds, and print what is new, until the rollout is done.

    Args:
        look: says whether it is done, and where it stands.
        timeout: seconds.
        every: seconds between two looks.

    Raises:
        PackagingError: it is not done in time; the sentence says where it stands.
    """
    end, last = time.monotonic() + timeout, ""
    while True:
        done, said = look()
        if said != last:
            print(said, flush=True)
            last = said
        if done:
            return
        if time.monotonic() + every > end:
            raise PackagingError(f"not done within {timeout:g} s: {said}")
        time.sleep(every)
