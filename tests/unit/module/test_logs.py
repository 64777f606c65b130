"""Log lines in the form by which edgeAgent filters, and not too many of them."""

import io
import json
import logging
import logging.config
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from module import logs
from module.logs import Form, Formatter, Sparsely, configure

EDGE = r"<{number}> \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{{3}} \+00:00 \[{short}\] hello 5\n"


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the root logger, and who makes loggers, back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(logs, "_configured", None)
    monkeypatch.setattr(root.manager, "loggerClass", None)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.disable(logging.NOTSET)


@pytest.fixture
def stream() -> io.StringIO:
    """Give a stream to configure logging to."""
    return io.StringIO()


@pytest.mark.parametrize(
    ("level", "number", "short"),
    [("debug", 7, "DBG"), ("info", 6, "INF"), ("warning", 4, "WRN"), ("error", 3, "ERR"), ("critical", 2, "CRT")],
)
def test_edge_agents_log_upload_can_filter(stream: io.StringIO, level: str, number: int, short: str) -> None:
    """``<{syslog level}> {yyyy-MM-dd HH:mm:ss.fff zzz} [{level}] {text}``."""
    configure("debug", "edge", stream)
    getattr(logging.getLogger("module.test"), level)("hello %d", 5)
    assert re.fullmatch(EDGE.format(number=number, short=short), stream.getvalue())


def test_json_is_one_object_a_line(stream: io.StringIO) -> None:
    """A traceback is inside it."""
    configure("info", "json", stream)
    try:
        raise ValueError("bad\nvalue")
    except ValueError:
        logging.getLogger("module.test").exception("it failed")
    (line,) = stream.getvalue().splitlines()
    record = json.loads(line)
    assert (record["level"], record["text"].splitlines()[0]) == ("error", "it failed")
    assert "ValueError: bad" in record["text"]


@pytest.mark.parametrize("form", ["edge", "text"])
def test_a_traceback_follows_on_lines_of_its_own(form: Form) -> None:
    """People read it there."""
    error = ValueError("bad")
    record = logging.LogRecord("n", logging.ERROR, "p", 1, "it failed", (), (ValueError, error, None))
    first, second = Formatter(form).format(record).splitlines()
    assert first.endswith("it failed")
    assert second == "    ValueError: bad"


FORGED = "it failed\n<3> 2026-01-01 00:00:00.000 +00:00 [ERR] forged\r<3> \x1b[2J\x85<3> \u2028<3> \ud800 \x0b\x00"


@pytest.mark.parametrize("form", ["edge", "text", "json"])
@pytest.mark.parametrize("logger", ["module.test", "a.script.of.theirs"])
def test_no_text_can_forge_a_record(form: Form, logger: str) -> None:
    """Whatever ends a line in any terminal or file is escaped or indented, and what has no form in UTF-8 too."""
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, "utf-8", write_through=True)
    configure("info", form, stream)
    logging.getLogger(logger).warning("said: %s", FORGED)
    first, *others = written.getvalue().decode().splitlines()
    assert "said: it failed" in first
    assert all(line.startswith("    ") for line in others)
    assert "\\ud800" in "".join((first, *others))


def test_the_level_is_kept_and_libraries_speak_up_from_warnings_on(stream: io.StringIO) -> None:
    """The SDK logs every message at INFO."""
    configure("info", "text", stream)
    for name in ("module.test", "azure.iot", "paho"):
        logging.getLogger(name).debug("%s debug", name)
        logging.getLogger(name).info("%s info", name)
        logging.getLogger(name).warning("%s warning", name)
    texts = [line.split(maxsplit=2)[2] for line in stream.getvalue().splitlines()]
    assert texts == ["module.test info", "module.test warning", "azure.iot warning", "paho warning"]


def test_what_cannot_be_written_is_dropped_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    """A full disk would get a traceback for each line; a record without a form is somebody's mistake, and is told."""
    with Path("/dev/full").open("w") as full:
        configure("info", "text", full)
        logging.getLogger("module.test").error("lost")
        assert capfd.readouterr().err == ""
        logging.getLogger("module.test").error("%d", "no number")
        assert "TypeError" in capfd.readouterr().err
        configure("info", "text")
        with suppress(OSError):
            full.close()


def test_a_kind_of_line_comes_once_in_a_while_and_says_how_many_it_held(caplog: pytest.LogCaptureFixture) -> None:
    """Bad input is an everyday event; each kind has its own turn."""
    sparsely = Sparsely(logging.getLogger("module.test"), every=0.1)
    for n in range(4):
        sparsely.warning("a", f"a{n}")
        sparsely.warning("b", f"b{n}")
    time.sleep(0.11)
    sparsely.warning("a", "a4")
    time.sleep(0.11)
    sparsely.warning("a", "a5")
    assert caplog.messages == ["a0", "b0", "a4 (and 3 more of this kind before it)", "a5"]


def _all_to(level: int) -> None:
    for name in logging.root.manager.loggerDict:
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize(
    "silence",
    [
        lambda: logging.config.dictConfig({"version": 1, "disable_existing_loggers": True}),
        lambda: logging.config.dictConfig({"version": 1, "root": {"level": "ERROR", "handlers": []}}),
        lambda: logging.config.dictConfig({"version": 1, "loggers": {"module": {"level": "ERROR"}}}),
        lambda: logging.basicConfig(level="ERROR", force=True, handlers=[logging.NullHandler()]),
        lambda: logging.disable(logging.CRITICAL),
        lambda: logging.getLogger().setLevel(logging.CRITICAL),
        logging.getLogger().handlers.clear,
        lambda: _all_to(logging.CRITICAL),
        lambda: setattr(logging.getLogger("module.test"), "disabled", True),
        lambda: setattr(logging.getLogger("module"), "propagate", False),
        logging.shutdown,
    ],
)
def test_what_a_script_does_to_logging_does_not_silence_ours(
    stream: io.StringIO, silence: Callable[[], object]
) -> None:
    """Neither loggers from before nor those that are made afterwards; others are as the script wants them."""
    before = logging.getLogger("module.test")
    configure("info", "text", stream)
    between = logging.getLogger(f"scoring.made_after_{id(silence)}")
    silence()
    for logger in (before, between, logging.getLogger(f"module.made_last_{id(silence)}")):
        logger.info("still here")
        logger.debug("not wanted")
    assert [line.split(maxsplit=2)[2] for line in stream.getvalue().splitlines()] == ["still here"] * 3
    assert type(logging.getLogger(f"of_a_script_{id(silence)}")) is logging.Logger
    logging.getLogger("module").propagate = True
    _all_to(logging.NOTSET)
