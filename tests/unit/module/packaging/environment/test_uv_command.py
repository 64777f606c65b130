"""uv's own words become a few true ones; PyTorch's index without CUDA is taken where it is to be reached."""

import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from module.errors import PackagingError
from module.packaging.environment import uv_command
from module.packaging.environment.target import Target
from module.packaging.environment.uv_command import reason_of, run_uv

CPU = Target("linux/amd64", "cpu", "3.11", "2.36")
SAID = {
    """error: No solution found when resolving dependencies
  cause: Because nosuch was not found in the package registry and you require nosuch, we can conclude that your \
requirements are unsatisfiable.
""": "nosuch was not found in the package registry",
    """  × No solution found when resolving dependencies:
  ╰─▶ Because there is no version of numpy==99 and you require numpy==99, we can conclude that your requirements are \
unsatisfiable.
""": "there is no version of numpy==99",
    """error: No solution found when resolving dependencies
  cause: Because you require numpy>=1.26 and numpy==1.16.2, we can conclude that your requirements are unsatisfiable.
""": "numpy>=1.26 and numpy==1.16.2 do not fit together: one of them is the module's own (docs/compatibility.md)",
    """error: No solution found when resolving dependencies
  cause: Because scipy>=1.15 depends on numpy>=1.23 and scipy>=1.16 depends on numpy>=1.25, we can conclude that \
scipy>=1.15 depends on numpy>=1.23.
         And because you require numpy<1.20 and scipy>=1.15, we can conclude that your requirements are unsatisfiable.

hint: A hint that is as long as a page.
""": "no versions fit together for numpy<1.20 and scipy>=1.15\n"
    "  Because scipy>=1.15 depends on numpy>=1.23 and scipy>=1.16 depends on numpy>=1.25, so scipy>=1.15 depends on "
    "numpy>=1.23.",
    """error: Failed to fetch: `https://me:secret@r.example/simple/foo/`
  Caused by: Request failed after 3 retries
  Caused by: dns error
""": "Failed to fetch: `https://…@r.example/simple/foo/`: dns error",
    """error: Request failed after 3 retries in 9.6s
  cause: Failed to fetch: http://127.0.0.1:1/simple/foo/
  cause: Connection refused (os error 111)
""": "Failed to fetch: http://127.0.0.1:1/simple/foo/: Connection refused (os error 111)",
    "error: Failed to build `foo==1`\n  cause: The build backend returned an error\n" + "x" * 5000 + "\nline\n" * 50: (
        "Failed to build `foo==1`\n  The build backend returned an error\n  " + "x" * 300 + "\n  line" * 5
    ),
}


@pytest.mark.parametrize("said", SAID)
def test_why_uv_failed_is_short_and_true(said: str) -> None:
    assert reason_of(said) == SAID[said]


UNREACHED = "error: Failed to fetch: https://download.pytorch.org/whl/cpu/torch/\n  cause: dns error"


@pytest.mark.parametrize(
    ("variant", "first", "then", "asked"),
    [
        ("cpu", "", "", ["cpu"]),
        ("gpu", "", "", [""]),
        ("cpu", UNREACHED, "", ["cpu", ""]),
        ("cpu", UNREACHED, "error: Because there is no version of torch==2.9+cpu", ["cpu", ""]),
        ("cpu", "error: nothing to do with it", "", ["cpu"]),
    ],
)
def test_the_index_without_cuda(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    *,
    variant: str,
    first: str,
    then: str,
    asked: list[str],
) -> None:
    """Asked for a CPU's image; where it cannot be reached the ordinary one is, which is said; loading is told of."""
    fake, log = tmp_path / "uv", tmp_path / "log"
    (tmp_path / "first").write_text(first)
    (tmp_path / "then").write_text(then)
    fake.write_text(
        f"#!/bin/sh\ncase $* in *backend*) file=first ;; *) file=then ;; esac\n"
        f"cd {tmp_path}\necho $file >> log\necho ' Downloading torch (9MiB)' >&2\ncat $file >&2\n! test -s $file\n"
    )
    fake.chmod(0o755)
    monkeypatch.setattr(uv_command.uv, "find_uv_bin", lambda: str(fake))
    monkeypatch.delenv("UV_TORCH_BACKEND", raising=False)
    failed = first and (then or len(asked) == 1)
    if failed:
        with pytest.raises(
            PackagingError, match=r"the environment cannot be had: (Failed to fetch.*dns|nothing to do)"
        ):
            run_uv("pip", "compile", target=CPU._replace(variant=variant))
    else:
        run_uv("pip", "compile", target=CPU._replace(variant=variant))
    assert log.read_text().split() == ["first" if each else "then" for each in asked]
    out, err = capfd.readouterr()
    assert "Downloading torch (9MiB) …\n" in err
    assert out == ""
    assert ("is not to be reached" in err) == (len(asked) == 2)


def test_the_folder_that_build_is_called_in_configures_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its user's file does: an index of a company is often named there."""
    here, home = tmp_path / "here", tmp_path / "home"
    (home / "uv").mkdir(parents=True)
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.delenv("UV_CONFIG_FILE", raising=False)
    for name in ("uv.toml", "pyproject.toml"):
        Path(name).write_text("is [no TOML")
    Path("none.in").write_text("")
    asked = ("pip", "compile", "--offline", "none.in", "--output-file", "none.out")
    run_uv(*asked, target=CPU)
    (home / "uv" / "uv.toml").write_text("is [no TOML")
    with pytest.raises(PackagingError, match=r"home/uv/uv\.toml"):
        run_uv(*asked, target=CPU)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_what_a_build_has_started(tmp_path: Path, number: int, code: int) -> None:
    """Also what that has started in turn; to the build alone, as a pipeline sends it."""
    (tmp_path / "sh").write_text(
        f"#!/bin/sh\nsleep 60 &\necho $! > {tmp_path}/pid.new\nmv {tmp_path}/pid.new {tmp_path}/pid\nwait\n"
    )
    (tmp_path / "sh").chmod(0o755)
    program = f"""
import signal, sys
from module.packaging.programs import output_of
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
try:
    output_of(["{tmp_path}/sh"])
except KeyboardInterrupt:
    sys.exit(130)
"""
    with subprocess.Popen([sys.executable, "-c", program]) as build:
        until = time.monotonic() + 20
        while not (tmp_path / "pid").exists() and time.monotonic() < until:
            time.sleep(0.02)
        child = int((tmp_path / "pid").read_text())
        build.send_signal(number)
        assert build.wait(10) == code
    with suppress(FileNotFoundError, ProcessLookupError):  # ended, though nobody may have waited for it yet
        while Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            assert time.monotonic() < until
            time.sleep(0.02)
