"""Real container engines, podman with runc and a dockerd started by hand; each runs a module as a device would."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from parts import needs

_CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
_LOCKED_DOWN = ("--read-only", "--cap-drop", "ALL", "--network", "host", "--memory", "512m", "--stop-timeout", "10")


class Engine(NamedTuple):
    """A container engine's command line.

    Attributes:
        name: ``podman`` or ``docker``.
        command: what every call begins with.
        environment: its variables.
    """

    name: str
    command: list[str]
    environment: dict[str, str]

    def __call__(self, *arguments: str, check: bool = True, text: str | None = None) -> str:
        """Run it and give what it prints."""
        done = subprocess.run(
            [*self.command, *arguments], env=self.environment, input=text, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, f"{self.name} {' '.join(arguments[:2])}: {done.stderr or done.stdout}"
        return done.stdout.strip()

    @contextmanager
    def running(self, image: str, options: Sequence[str] = (), command: Sequence[str] = ()) -> Iterator[str]:
        """Run an image as a device does (read-only, no capabilities, limited memory) and give its container's name.

        The journal's volume is the only place that can be written.
        """
        name = f"scoring-test-{os.getpid()}-{time.monotonic_ns()}"
        volume = f"{name}-journal"
        # podman mounts a writable /tmp, /var/tmp and /run into a read-only container by itself; docker does not.
        bare = ["--read-only-tmpfs=false"] if self.name == "podman" else []
        journal = ["-v", f"{volume}:/var/lib/scoring"]
        self("run", "-d", "--name", name, *_LOCKED_DOWN, *bare, *journal, *options, image, *command)
        try:
            yield name
        finally:
            self("rm", "-f", name, check=False)
            self("volume", "rm", "-f", volume, check=False)

    def logs(self, container: str) -> str:
        """Give what a container printed, both ways."""
        done = subprocess.run(
            [*self.command, "logs", container], env=self.environment, capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr


@contextmanager
def podman(folder: Path, ca: Path) -> Iterator[Engine]:
    """Give podman with storage and trust of its own."""
    needs("podman", "runc")
    if os.geteuid() != 0:
        pytest.skip("podman is tried as root here: run .ci/run as root in a VM")
    (folder / "containers.conf").write_text(_CONTAINERS_CONF)
    own = {
        "CONTAINERS_CONF": f"{folder}/containers.conf",
        "REGISTRY_AUTH_FILE": f"{folder}/auth",
        "SSL_CERT_FILE": str(ca),
    }
    environment = {**os.environ, **own}
    storage = ["--root", str(folder / "storage"), "--runroot", str(folder / "run")]
    yield Engine("podman", ["podman", *storage], environment)
    subprocess.run(["umount", "-l", str(folder / "storage" / "overlay")], check=False, capture_output=True)


@contextmanager
def docker(ca: Path) -> Iterator[Engine]:
    """Start a dockerd with storage of its own, without touching the machine's network."""
    needs("dockerd", "docker", "runc")
    if os.geteuid() != 0:
        pytest.skip("dockerd needs root: run .ci/run as root in a VM")
    with tempfile.TemporaryDirectory(prefix="dockerd-", ignore_cleanup_errors=True) as folder:
        address = f"unix://{folder}/docker.sock"
        options = [
            "--data-root",
            f"{folder}/data",
            "--exec-root",
            f"{folder}/exec",
            "--pidfile",
            f"{folder}/pid",
            "--bridge=none",
            "--iptables=false",
            "-H",
            address,
        ]
        with Path(folder, "log").open("wb") as log:
            environment = {**os.environ, "SSL_CERT_FILE": str(ca)}
            daemon = subprocess.Popen(["dockerd", *options], stdout=log, stderr=log, env=environment)
        engine = Engine("docker", ["docker", "--config", folder, "-H", address], dict(os.environ))
        try:
            for _ in range(300):
                if engine("version", "-f", "{{.Server.Version}}", check=False):
                    break
                time.sleep(0.1)
            else:
                pytest.skip(f"dockerd does not start on this machine: {Path(folder, 'log').read_text()[-300:]}")
            yield engine
        finally:
            daemon.terminate()
            daemon.wait(30)
