"""Runs ``check`` on what is packed, where it is packed: the image's packages, model and script alone.

Once for each state of those. What is missing in the image (a package, a module, a file of data that an ignore file
leaves out) is found here and not on a device.
"""

import os
import shutil
import sys
import tempfile
from contextlib import suppress
from functools import partial
from importlib import resources
from pathlib import Path

import msgspec

from scoring.errors import ScriptError

from ... import __version__
from ...errors import PackagingError
from ..environment.lock import Lock
from ..environment.target import Target
from ..programs import output_of
from ..registry.oci import Layout
from .contents import APP, Contents
from .wheels import fill

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What engines take for a base image without one."""

_LARGE = 16_000_000
_LIMITS = ("SCORING_INIT_TIMEOUT_S", "SCORING_RUN_TIMEOUT_S")  # the user's: a device is given them by its deployment


class _Tried(msgspec.Struct):
    """What is read of what check says."""

    ok: bool
    error: str = ""
    findings: list[str] = []
    scored: int = 0
    messages: int = 0


def check_packed(layout: Layout, lock: Lock, target: Target, contents: Contents, packed: str, *, no_slim: bool) -> str:
    """Check what is packed, whose key this is, and give a note about it.

    Raises:
        ScriptError: check found something wrong; its sentence.
    """
    key = f"checked 2 {__version__} {lock.digest} {target} {no_slim}\n{packed}"
    return layout.once(key, str, partial(_check, layout, lock, target, contents, no_slim), lambda _: [])


def _check(layout: Layout, lock: Lock, target: Target, contents: Contents, no_slim: bool) -> str:
    key = f"packages {__version__} {lock.digest} {target} {no_slim}"
    filled = layout.filled(key, partial(_fill, lock, target, no_slim))
    with tempfile.TemporaryDirectory(dir=layout.folder, prefix=".packed-") as folder:
        runtime, app, home = Path(folder, "runtime"), Path(folder, "root", APP), Path(folder, "home")
        for new in (runtime, app, home):
            new.mkdir(parents=True)
        for name in ("module", "scoring"):
            (runtime / name).symlink_to(Path(str(resources.files(name))))
        for name, file in contents.files.items():
            place = app / name
            place.parent.mkdir(parents=True, exist_ok=True)
            _put(file, place)
        variables = _variables(home, f"{runtime}:{filled}", app)
        if contents.model_dir:
            variables["AZUREML_MODEL_DIR"] = f"{folder}/root{contents.model_dir}"
        command = [sys.executable, "-S", "-P", "-s", "-m", "module.cli", "check", "--once", "--json"]
        _, out, err = output_of(command, env=variables, cwd=app)
        said = f"{err.strip()}\n".replace(f"{app}/", "")
    contents.confirm()
    try:
        tried = msgspec.json.decode(out, type=_Tried)
    except msgspec.DecodeError:
        tried = _Tried(ok=False, error=said.strip().rpartition("\n")[2].removeprefix("scoring-module: "))
    if wrong := tried.error or next(iter(tried.findings), ""):
        sentence = wrong.replace(f"{app}/", "")
        trace = said.rpartition("scoring-module: ")[0].strip()
        raise ScriptError(f"check in the image's environment: {sentence} (--no-check builds it all the same)", trace)
    if not tried.ok:
        return "check ran in the image's environment: it loads, and there is no sample.json to score"
    return f"check ran in the image's environment: good, {tried.scored} of {tried.messages} scored"


def _variables(home: Path, packages: str, app: Path) -> dict[str, str]:
    """Give what a script has of variables in the image, and of whoever builds it nothing but language and limits."""
    return {
        **{name: text for name, text in os.environ.items() if name in _LIMITS or name.startswith(("LC_", "LANG"))},
        **dict.fromkeys(("HOME", "TMPDIR"), str(home)),
        "PATH": PATH,
        "PYTHONPATH": packages,
        "ORT_DISABLE_TELEMETRY": "1",
        "SCORING_DIR": str(app),
        "SCORING_JOURNAL_DIR": str(home / "journal"),
        "SCORING_CALIBRATION_S": "0",  # how fast the model is here says nothing of a device
    }


def _fill(lock: Lock, target: Target, no_slim: bool, packages: Path) -> None:
    try:
        fill(packages, lock, target, "--offline", no_slim=no_slim)  # from what was loaded for the layers
    except PackagingError:
        fill(packages, lock, target, no_slim=no_slim)


def _put(file: Path, place: Path) -> None:
    """Copy a file; a large one is only linked where that goes: nobody waits for gigabytes to be copied."""
    if file.stat().st_size > _LARGE:
        with suppress(OSError):
            os.link(file.resolve(), place)
            return
    shutil.copyfile(file, place)
