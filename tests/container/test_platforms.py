"""Images for other machines than this one: arm64 without emulation, arm32 refused."""

import json
import struct
import tarfile
from pathlib import Path

import pytest
from parts import base_image
from shell import build, scoring_module

pytestmark = [pytest.mark.container, pytest.mark.timeout(300)]
_AARCH64 = 183


def test_an_arm64_image_has_aarch64_binaries_only(turbofan: Path, layout: Path) -> None:
    base = str(base_image("arm64"))
    built = build(turbofan, "localhost:1/arm:1", base, "--platform", "linux/arm64")
    assert "nothing of the image was tried: it is for linux/arm64" in built.err
    manifest = json.loads((layout / "blobs/sha256" / built.digest[7:]).read_bytes())
    config = json.loads((layout / "blobs/sha256" / manifest["config"]["digest"][7:]).read_bytes())
    assert (config["os"], config["architecture"]) == ("linux", "arm64")
    machines = [machine for layer in manifest["layers"] for machine in _machines(layout, layer["digest"])]
    assert len(machines) > 50
    assert set(machines) == {_AARCH64}


def test_a_base_image_of_another_platform_is_refused(turbofan: Path, base: str) -> None:
    ended = scoring_module("build", turbofan, "--image", "localhost:1/x:1", "--base", base, "--platform", "linux/arm64")
    assert ended.code == 2
    assert "linux/arm64" in ended.err


def test_arm32_is_refused() -> None:
    ended = scoring_module("build", ".", "--image", "localhost:1/x:1", "--platform", "linux/arm/v7")
    assert ended.code == 2
    assert "no wheel for 32-bit ARM" in ended.err


def _machines(layout: Path, digest: str) -> list[int]:
    found = []
    with tarfile.open(layout / "blobs/sha256" / digest[7:]) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isreg() else None
            head = file.read(20) if file else b""
            if head[:4] == b"\x7fELF":
                found.append(struct.unpack("<H", head[18:20])[0])
    return found
