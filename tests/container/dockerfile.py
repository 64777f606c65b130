"""The Dockerfile at the root, built by buildah with its layer cache, from a copy of what it takes."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from parts import BASES, debian, needs

_ROOT = Path(__file__).parents[2]


class Context(NamedTuple):
    """What the Dockerfile is built in.

    Attributes:
        folder: with the Dockerfile.
        script: the scoring directory in it.
        command, environment: how buildah is called.
        bases: build arguments that name the two base images.
    """

    folder: Path
    script: Path
    command: list[str]
    environment: dict[str, str]
    bases: dict[str, str]

    def buildah(self, *arguments: str) -> str:
        """Run buildah and give what it prints; what went wrong is the assertion's words."""
        done = subprocess.run(
            [*self.command, *arguments], env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout.strip()

    def build(self, image: str, *options: str) -> None:
        """Build the image."""
        said = [f"--build-arg={name}={value}" for name, value in {**self.bases, "DIRECTORY": "script"}.items()]
        self.buildah("bud", "--layers", "--network", "host", *said, *options, "-t", image, str(self.folder))


@contextmanager
def dockerfile(folder: Path, script: Path, base: str, ca: Path | None = None) -> Iterator[Context]:
    """Give a context around a scoring directory with its lock, and storage of its own."""
    needs("buildah")
    context = folder / "context"
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("module", "scoring"):
        shutil.copytree(_ROOT / name, context / name, ignore=ignore)
    shutil.copytree(script, context / "script")
    for name in ("Dockerfile", ".dockerignore"):
        shutil.copy(_ROOT / name, context)
    if certificates := os.environ.get("PIP_CERT"):
        shutil.copy(certificates, context / "ca.pem")
    command = ["buildah", "--root", str(folder / "storage"), "--runroot", str(folder / "run")]
    environment = {**os.environ, "BUILDAH_ISOLATION": "chroot", **({"SSL_CERT_FILE": str(ca)} if ca else {})}
    made = Context(context, context / "script", command, environment, {})
    with_pip = debian(BASES / "debian-amd64-pip.tar", "essential", "amd64", "python3,python3-pip,libstdc++6")
    try:
        for argument, rootfs in (("BASE_IMAGE", base), ("BUILD_IMAGE", str(with_pip))):
            container = made.buildah("from", "scratch")
            made.buildah("add", "-q", container, rootfs, "/")
            made.buildah("commit", "-q", container, f"localhost/{argument.lower()}:1")
            made.bases[argument] = f"localhost/{argument.lower()}:1"
        yield made
    finally:
        subprocess.run(["umount", "-l", str(folder / "storage" / "overlay")], check=False, capture_output=True)
