"""The machine an image is for: platform, variant, and the Python and glibc of its base image."""

import platform
import sys
from typing import NamedTuple

from ...errors import SettingsError

PLATFORMS = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
ELF_MACHINE = {"linux/amd64": 62, "linux/arm64": 183}
"""e_machine of a platform's binaries: EM_X86_64, EM_AARCH64."""
_MANYLINUX = (40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 28, 17)
"""glibc 2.x that uv knows wheels for, the newest first."""
OLDEST_PYTHON = (3, 11)


class Target(NamedTuple):
    """Where wheels have to run.

    Attributes:
        platform: ``linux/amd64`` or ``linux/arm64``.
        variant: ``cpu`` or ``gpu``.
        python: such as ``3.11``.
        glibc: such as ``2.36``.
    """

    platform: str
    variant: str
    python: str
    glibc: str

    @property
    def architecture(self) -> str:
        """Give OCI's name of it: ``amd64``, ``arm64``."""
        return self.platform.partition("/")[2]

    @property
    def uv_platform(self) -> str:
        """Give uv's name of the newest manylinux that the base image's glibc can load."""
        have = int(self.glibc.partition(".")[2])
        minor = next((each for each in _MANYLINUX if each <= have), None)
        if minor is None:
            raise SettingsError(f"the base image has glibc {self.glibc}: wheels need 2.17 or newer, choose another")
        return f"{PLATFORMS[self.platform]}-manylinux_2_{minor}"

    @property
    def lock_name(self) -> str:
        """Give the name of the lock file: ``requirements.lock``, ``requirements.arm64.lock`` and so on."""
        parts = [part for part in (self.architecture, self.variant) if part not in {"amd64", "cpu"}]
        return ".".join(["requirements", *parts, "lock"])


def why_not_here(target: Target) -> str:
    """Say why nothing of an image can be run on this machine; empty if it can."""
    here = (platform.machine(), f"{sys.version_info[0]}.{sys.version_info[1]}")
    if sys.platform == "linux" and here == (PLATFORMS[target.platform], target.python):
        return ""
    return f"it is for {target.platform} with Python {target.python}, and here is {here[0]} with Python {here[1]}"


def check_platform(name: str) -> None:
    """Refuse a platform that no image can be built for.

    Raises:
        SettingsError: it is one; of 32-bit ARM the sentence says why.
    """
    if name in PLATFORMS:
        return
    if name.startswith("linux/arm"):
        raise SettingsError(f"--platform {name}: ONNX Runtime has no wheel for 32-bit ARM, use linux/arm64")
    raise SettingsError(f"--platform {name}: choose {' or '.join(PLATFORMS)}")


def check_python(asked: str, have: str, base: str, *, any_python: bool) -> str:
    """Give a note about the Python that an environment asks for; empty if it is the base image's.

    Raises:
        SettingsError: they differ, and ``any_python`` does not say that this is all right.
    """
    if tuple(map(int, have.split("."))) < OLDEST_PYTHON:
        raise SettingsError(f"the base image {base} has Python {have}: ONNX Runtime's wheels start at 3.11")
    if not asked or have == asked or ("." not in asked and have.startswith(f"{asked}.")):
        return ""
    sentence = f"the environment asks for Python {asked} and the base image {base} has {have}"
    if any_python:
        return sentence
    older = " (ONNX Runtime's wheels start at 3.11)" if tuple(map(int, asked.split("."))) < OLDEST_PYTHON else ""
    raise SettingsError(f"{sentence}{older}: change the line, choose another --base, or accept it with --any-python")
