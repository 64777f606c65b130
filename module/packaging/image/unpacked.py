"""Writes what `build` packs of a runtime and a scoring directory as files, for the Dockerfile to copy."""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from .contents import gather, runtime
from .entries import Entry


def main(directory: str, out: str, *allowed: str) -> None:
    """Write ``OUT/runtime``, ``OUT/model`` and ``OUT/script``, each as it lies below an image's root; dated 1970.

    Run by the image's Python: its path is in the first line of the command.

    Raises:
        SettingsError: as for `build`: nothing to score with, a secret, or a link that leads out.
    """
    contents = gather(Path(directory), None, None, allowed)
    python = os.path.realpath(sys.executable)
    for name, entries in (("runtime", runtime(python)), ("model", contents.model), ("script", contents.script)):
        _write(Path(out, name), entries)


def _write(root: Path, entries: Sequence[Entry]) -> None:
    root.mkdir(parents=True)
    for path, source, mode, _ in sorted(entries, key=lambda each: each.path):
        file = root / path
        (file if source is None else file.parent).mkdir(parents=True, exist_ok=True)
        if isinstance(source, bytes):
            file.write_bytes(source)
        elif source is not None:
            shutil.copyfile(source, file)
        file.chmod(mode)
    for each in (*root.rglob("*"), root):
        os.utime(each, (0, 0))


if __name__ == "__main__":
    main(*sys.argv[1:])
