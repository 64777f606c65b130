"""What cannot be written or opened: one rule of exit codes for all commands, and no half of a new file."""

import errno
import os
from pathlib import Path

import pytest

from module import cli
from module.errors import SettingsError, UnwritableError
from module.written import written


def test_a_path_that_cannot_be_opened_is_an_argument_and_a_full_disk_a_failure(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot write .*absent/x: No such file"), written(tmp_path / "absent/x"):
        pass
    with (
        pytest.raises(UnwritableError, match=r"^cannot write /dev/full: No space left on device$") as raised,
        written(Path("/dev/full")) as file,
    ):
        file.write(b"only known when it is closed")
    assert (raised.value.exit_code, SettingsError.exit_code) == (1, 2)
    with pytest.raises(UnwritableError), written(Path("/dev/full"), at_once=True) as file:
        file.write(b"known at once")


def test_nothing_is_left_of_a_new_file_that_is_not_whole(tmp_path: Path) -> None:
    """What is tried again then finds its place free; a file that was there is not touched."""
    with pytest.raises(UnwritableError), written(tmp_path / "new", new=True) as file:
        _fail_after(file.write(b"half of it"))
    assert not (tmp_path / "new").exists()
    (tmp_path / "old").write_bytes(b"old")
    with pytest.raises(SettingsError, match="File exists"), written(tmp_path / "old", new=True):
        pass
    assert (tmp_path / "old").read_bytes() == b"old"


def test_a_reader_that_has_gone_is_no_full_disk() -> None:
    """The command line ends quietly then, with 141."""
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(BrokenPipeError), written(writing, "standard output") as file:
        file.write(b"x")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "jr/journal"),
            2,
            "cannot use jr/journal: Permission denied",
        ),
        (OSError(errno.ENOSPC, "No space left", "out"), 1, "cannot write out: No space left"),
        (OSError(errno.EMFILE, "Too many open files"), 1, "there is no file left to open: Too many open files"),
    ],
)
def test_what_the_system_refuses_is_a_sentence(
    error: OSError, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever in a command it comes up: it names the path, and does not blame the output for all."""
    assert cli._say(error) == code
    assert capsys.readouterr().err == f"scoring-module: {said}\n"


def _fail_after(count: int) -> None:
    assert count
    raise UnwritableError
