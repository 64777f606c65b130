"""The command line as its user meets it: a process of its own, with nothing but what it is given."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

IOTEDGE = {
    "IOTEDGE_IOTHUBHOSTNAME": "hub.azure-devices.net",
    "IOTEDGE_GATEWAYHOSTNAME": "localhost",
    "IOTEDGE_DEVICEID": "edge-1",
    "IOTEDGE_MODULEID": "scoring",
    "IOTEDGE_MODULEGENERATIONID": "1",
    "IOTEDGE_WORKLOADURI": "unix:///absent.sock",
    "IOTEDGE_APIVERSION": "2019-01-30",
}
"""What edgeAgent sets; nothing listens there."""

_OURS = ("SCORING_", "IOTEDGE_", "AZUREML_", "AML_")


def run(*arguments: object, cwd: Path, **environment: object) -> subprocess.CompletedProcess[bytes]:
    """Run ``scoring-module`` with arguments, in a directory, with these variables beside the usual ones."""
    return subprocess.run(
        _command(*arguments), cwd=cwd, env=_variables(environment), capture_output=True, timeout=60, check=False
    )


def start(*arguments: object, cwd: Path, **environment: object) -> subprocess.Popen[bytes]:
    """Start it, and leave its end and its pipes to the test."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        _command(*arguments),
        cwd=cwd,
        env=_variables(environment),
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - a shell's jobs ignore it
    )


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-P", "-m", "module.cli", *map(str, arguments)]


def _variables(environment: dict[str, object]) -> dict[str, str]:
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(_OURS)}
    inherited["SCORING_HTTP_PORT"] = "0"  # no status server, unless the test names a port: 9600 is everybody's
    return {**inherited, **{name: str(text) for name, text in environment.items()}}
