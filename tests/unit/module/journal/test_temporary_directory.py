"""Temporary files of scripts and libraries where the root is read-only; the container tests have a real one."""

import os
import tempfile
from pathlib import Path

import pytest

from module.journal import lend_temporary_directory


@pytest.fixture
def read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave nothing but TMPDIR to be tried; the test's own directory is there already."""
    assert tmp_path.is_dir()
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [os.environ["TMPDIR"]])
    monkeypatch.setenv("TMPDIR", "/proc")


@pytest.mark.usefixtures("read_only")
def test_the_journals_directory_lends_one_and_clears_what_was_left(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp" / "left").touch()
    lend_temporary_directory(tmp_path)
    with tempfile.NamedTemporaryFile() as file:
        assert os.listdir(tmp_path / "tmp") == [Path(file.name).name]


def test_where_there_is_one_nothing_is_made(tmp_path: Path) -> None:
    before = os.environ.get("TMPDIR")
    lend_temporary_directory(tmp_path)
    assert (list(tmp_path.iterdir()), os.environ.get("TMPDIR")) == ([], before)


@pytest.mark.usefixtures("read_only")
def test_a_journal_that_cannot_lend_one_is_no_failure(tmp_path: Path) -> None:
    lend_temporary_directory(tmp_path / "not" / "there")
    with pytest.raises(FileNotFoundError):
        tempfile.gettempdir()
