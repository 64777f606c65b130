"""Logs in the form by which edgeAgent's log upload filters: ``<{syslog level}> {time} [{level}] {text}``.

Source of the form: iotedge ``LogMessageParser`` (edge-agent). INFO is never per message.
"""

import json
import logging
import re
import sys
import time
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

_SYSLOG = {logging.DEBUG: (7, "DBG"), logging.INFO: (6, "INF"), logging.WARNING: (4, "WRN"), logging.ERROR: (3, "ERR")}

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What would begin a line, move the cursor, turn a line round or have no form in UTF-8; no newline and no tab."""

Form = Literal["edge", "json", "text"]


def visible(text: str) -> str:
    """Give a text whose control characters, Unicode line ends and lone surrogates are escaped; newlines are kept."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def say(*lines: object, to: TextIO | None = None) -> None:
    """Print lines to people that may quote others, such as the name of a file: a terminal obeys nothing in them."""
    for line in lines:
        print(visible(str(line)).replace("\n", "\\n"), file=to, flush=True)


def pattern(form: Form, sentence: str) -> str:
    """Give the line of an error whose time is left to ``strftime``, for a process without any of this."""
    sentence = sentence.replace("%", "%%")
    if form == "json":
        return json.dumps({"time": "%Y-%m-%dT%H:%M:%S+00:00", "level": "error", "text": sentence})
    return f"%H:%M:%S error   {sentence}" if form == "text" else f"<3> %Y-%m-%d %H:%M:%S.000 +00:00 [ERR] {sentence}"


class Formatter(logging.Formatter):
    """One record begins one line in the chosen form; further lines are indented, so that no text can forge a record."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        """Give the record; what a message of somebody else's holds can end neither it nor its line."""
        when = datetime.fromtimestamp(record.created, UTC)
        number, short = _SYSLOG.get(record.levelno, (2, "CRT"))
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        if self._form == "json":
            return json.dumps({"time": when.isoformat(), "level": record.levelname.lower(), "text": text})
        text = visible(text).replace("\n", "\n    ")
        if self._form == "text":
            return f"{when:%H:%M:%S} {record.levelname.lower():7} {text}"
        return f"<{number}> {when:%Y-%m-%d %H:%M:%S}.{when.microsecond // 1000:03} +00:00 [{short}] {text}"


class Sparsely:
    """Lets the same kind of line through at most once in a while and counts what it held back.

    Bad input is an everyday event: a device that sends nothing else must not fill the disk with warnings.
    """

    def __init__(self, logger: logging.Logger, every: float = 10.0) -> None:
        """Take the logger and the least seconds between two lines of one kind."""
        self._logger = logger
        self._every = every
        self._last: dict[str, tuple[float, int]] = {}

    def warning(self, kind: str, text: str) -> None:
        """Log a warning unless one of its kind was logged a moment ago; ``kind`` comes from a small fixed set."""
        now = time.monotonic()
        last, held = self._last.get(kind, (-self._every, 0))
        if now - last < self._every:
            self._last[kind] = (last, held + 1)
            return
        self._logger.warning("%s%s", text, f" (and {held} more of this kind before it)" if held else "")
        self._last[kind] = (now, 0)


class _Stream(logging.StreamHandler[TextIO]):
    """Drops what cannot be written, without a word: with a full disk, or nobody who reads, the module goes on."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Leave the rest to logging: a record that has no form is a mistake that its author should see."""
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)


class _OwnLogger(logging.Logger):
    """A logger of ours: once it is configured, whatever a script does to logging cannot silence it.

    ``dictConfig()`` disables every logger that exists, ``basicConfig(force=True)`` takes the handlers away, and scripts
    set the level of all loggers that they find.
    """

    @property
    def disabled(self) -> bool:
        """Never."""
        return False

    @disabled.setter
    def disabled(self, value: bool) -> None: ...

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - logging's name
        """Say whether the process's own level lets a record pass."""
        return super().isEnabledFor(level) if _configured is None else level >= _configured[0]

    def callHandlers(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Hand a record to the process's own handler."""
        if _configured is None:
            super().callHandlers(record)
        else:
            _configured[1].handle(record)


_configured: tuple[int, logging.Handler] | None = None


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] in ("module", "scoring")


def configure(level: str, form: Form, to: TextIO | None = None) -> None:
    """Send every record of this process to a stream, by default stdout; the SDK's and paho's only from warnings on."""
    global _configured  # noqa: PLW0603 - logging is of the process
    stream = _Stream(to or sys.stdout)
    stream.setFormatter(Formatter(form))
    logging.basicConfig(level=level.upper(), handlers=[stream], force=True)
    for name in ("azure", "paho", "asyncio", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
    _configured = logging.root.level, stream
    manager: Any = logging.root.manager
    for name, logger in manager.loggerDict.items():
        if _is_ours(name) and isinstance(logger, logging.Logger):
            logger.__class__ = _OwnLogger
    # Those that are made from now on too; logging wants a class here, and only calls it.
    manager.loggerClass = lambda name: (_OwnLogger if _is_ours(name) else logging.getLoggerClass())(name)
