"""Builds the fault library and tells it what to do, through the shared file that it reads."""

import errno
import mmap
import struct
import subprocess
from pathlib import Path

_CONTROL = struct.Struct("<IIIIqQ")  # struct control in preload.c
WRITE, SYNC, TRUNCATE, OPEN = 1, 2, 4, 8
NEEDS = "needs a C compiler (Debian, Ubuntu: apt-get install gcc libc6-dev)"


def build(folder: Path) -> Path | None:
    """Compile the library into the folder; None where there is no compiler."""
    library = folder / "preload.so"
    source = Path(__file__).with_name("preload.c")
    try:
        subprocess.run(
            ["gcc", "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return library


class Control:
    """The shared file of one module's lives."""

    def __init__(self, path: Path, seed: int) -> None:
        path.write_bytes(_CONTROL.pack(0, 0, 0, 0, 0, seed))
        self._file = path.open("r+b")
        self._map = mmap.mmap(self._file.fileno(), _CONTROL.size)

    @property
    def failed(self) -> int:
        """How many calls have failed so far."""
        return int(struct.unpack_from("<I", self._map, 12)[0])

    def disk(self, how: str) -> None:
        """Let calls fail: ``EIO``, ``ENOSPC``, ``EDQUOT`` or ``short``, and which calls, or ``always``; "": none."""
        name, _, where = how.partition(" ")
        calls = {"sync": SYNC, "open": OPEN, "truncate": TRUNCATE}.get(where, WRITE | SYNC)
        chance = 0 if not how else 65_536 if where == "always" else 6_000
        number = getattr(errno, name) if name.startswith("E") else 0
        struct.pack_into("<III", self._map, 0, chance, number, calls)

    def clock(self, seconds: int) -> None:
        """Set the wall clock ahead."""
        struct.pack_into("<q", self._map, 16, seconds)

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()
        self._file.close()
