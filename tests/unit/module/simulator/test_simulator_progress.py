"""What is shown while a simulation runs."""

import pytest

from module.simulator import progress
from module.simulator.progress import ProgressDisplay, progress_text


def test_without_a_terminal_a_line_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    text = progress_text(rate=512.3, p50=1.25, p99=9.0, mean_batch=31.6, errors=2)
    with ProgressDisplay(None) as display:
        for now[0] in (101.0, 104.9, 105.0, 106.0):
            display.show(1200, 1000, text)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == ("1,200 sent, 1,000 answered, 512/s, p50 1.2 ms, p99 9.0 ms, mean batch 31.6, 2 errors\n")


def test_what_is_not_known_yet_is_left_out() -> None:
    assert progress_text(rate=0.0, p50=None, p99=None, mean_batch=None, errors=0) == "0/s, 0 errors"
