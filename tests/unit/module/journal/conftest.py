"""Journals that are let go of at the end of a test."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from journals import Open

from module.journal import Journal, troubles


@pytest.fixture
async def open_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Open]:
    """Give a function that opens a journal, by default in one directory of this test; its troubles end at once."""
    monkeypatch.setattr(troubles, "_QUIET", 0.0)
    opened: list[Journal] = []

    def open_it(directory: Path = tmp_path / "journal", **bounds: Any) -> Journal:
        opened.append(Journal(directory, **bounds))
        return opened[-1]

    yield open_it
    for journal in opened:
        await journal.release()
