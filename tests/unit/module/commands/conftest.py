"""What the tests of `check` share: a trial of a folder, in this process."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from module.messages import InputMessage
from module.settings import Settings
from module.trial import passes
from module.trial.trial import Trial
from module.trial.trying import try_out


@pytest.fixture
def tried(process: object, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a short trial of a folder, with bodies and with settings by name."""
    monkeypatch.setattr(passes, "SECONDS", 0.01)

    def try_it(directory: Path, *bodies: bytes, **settings: Any) -> Trial:
        trial = Trial(str(directory), "score.py", sample_from="--sample" if bodies else "")
        given = iter([InputMessage(body, "") for body in bodies]) if bodies else None
        asyncio.run(try_out(Settings(dir=directory, **settings), given, trial, lambda *_: None))
        return trial

    return try_it
