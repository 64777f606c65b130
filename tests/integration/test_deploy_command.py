"""``scoring-module deploy`` as its user meets it: what it prints, how it ends, and that no secret is ever seen."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from deployments import CONDITION, IMAGE, READY, TEMPLATE, VALUES, deployment, written
from hub_stub import KEY, SECRET, Fault, HubStub, serving

from module.packaging.deployment.deployment_file import DeploymentFile
from module.packaging.deployment.fleet import FleetRollout
from module.packaging.deployment.hub_access import access_from
from module.packaging.deployment.iot_hub import IotHub


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStub]:
    with serving(tmp_path) as hub:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        monkeypatch.setenv("NO_PROXY", "localhost")
        yield hub


@pytest.fixture
def ready(tmp_path: Path) -> DeploymentFile:
    return written(tmp_path, deployment())


def cli(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "module.cli", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_command_deploys_watches_and_says_nothing_secret(stub: HubStub, ready: DeploymentFile) -> None:
    """Neither the hub's key nor the registry's password is in what is printed, with and without an error."""
    stub.add_device("edge-1", "scoring")
    stub.report("edge-1", "$edgeAgent", **READY)
    stub.report("edge-1", "scoring", status="ready")
    folder = ready.path.parent
    (folder / ".env").write_text(f"IOTHUB_CONNECTION_STRING='{stub.connection_string()}'\n")
    stub.faults = [Fault(429, {"Retry-After": "1"})]
    done = cli("deploy", "--device", "edge-1", "--watch", "--timeout", 5, "--every", 0.1, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("says: ready\n")
    stub.faults = [Fault(400)]
    failed = cli("deploy", "--target-condition", CONDITION, "--priority", 1, cwd=folder)
    assert failed.returncode == 1
    assert failed.stderr.startswith("scoring-module: localhost:")
    assert failed.stderr.count("\n") == 1
    said = done.stdout + failed.stdout + failed.stderr
    assert all(secret not in said for secret in (SECRET, KEY))


def test_secrets_are_filled_in_by_deploy_alone(stub: HubStub, tmp_path: Path) -> None:
    """The file has references, the hub gets the values; without one nothing is sent."""
    stub.add_device("edge-1", "scoring")
    template = tmp_path / "deployment.template.json"
    template.write_text(TEMPLATE.read_text())
    env = "".join(f"{name}='{value.replace(chr(39), chr(92) + chr(39))}'\n" for name, value in VALUES.items())
    (tmp_path / ".env").write_text(f"{env}IOTHUB_CONNECTION_STRING='{stub.connection_string()}'\n")
    made = cli("manifest", "--image", IMAGE, cwd=tmp_path)
    file = tmp_path / "deployment.json"
    assert "secrets are left as references, which deploy fills in: CONTAINER_REGISTRY_PASSWORD_scoring" in made.stdout
    assert file.stat().st_mode & 0o777 == 0o600
    assert '"password": "${CONTAINER_REGISTRY_PASSWORD_scoring}"' in file.read_text()
    done = cli("deploy", "--device", "edge-1", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    agent = stub.twins["edge-1", "$edgeAgent"]["desired"]
    assert agent["runtime"]["settings"]["registryCredentials"]["scoring"]["password"] == SECRET
    left = [path.name for path in tmp_path.rglob("*") if path.is_file() and SECRET in path.read_text(errors="replace")]
    assert left == []
    asked = len(stub.asked)
    hub = {"IOTHUB_CONNECTION_STRING": stub.connection_string()}
    missing = cli("deploy", "--device", "edge-1", "--env", "elsewhere.env", cwd=tmp_path, **hub)
    assert missing.returncode == 2
    assert "have no value, set them in the environment or --env: ${CONTAINER_REGISTRY_PASSWORD_sc" in missing.stderr
    assert len(stub.asked) == asked
    assert SECRET not in made.stdout + made.stderr + done.stdout + missing.stderr


def test_no_secret_is_in_the_process_list(stub: HubStub, ready: DeploymentFile) -> None:
    """While it runs, its arguments name no secret."""
    hub = IotHub(access_from({"IOTHUB_CONNECTION_STRING": stub.connection_string()}, None))
    FleetRollout(hub, ready.name, ready, condition=CONDITION, priority=10).start()
    command = [sys.executable, "-P", "-m", "module.cli", "deploy", "--target-condition", CONDITION, "--priority", "10"]
    command += ["--watch", "--timeout", "30", "--every", "0.1"]
    environment = {**os.environ, "IOTHUB_CONNECTION_STRING": stub.connection_string()}
    asked = len(stub.asked)
    process = subprocess.Popen(command, cwd=ready.path.parent, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert "unchanged" in process.stdout.readline()
        listed = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert b"deploy" in listed
        assert all(secret.encode() not in listed for secret in (KEY, SECRET))
        assert len(stub.asked) > asked
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--target-condition", CONDITION], "--target-condition needs --priority N"),
        (["--device", "edge-1", "--priority", "3"], "--priority and --id are for --target-condition"),
        (["--device", "edge-1"], "no IoT Hub is named: set IOTHUB_CONNECTION_STRING"),
        (["--target-condition", " ", "--priority", "1"], "--target-condition is empty: a variable of the shell may"),
        (["--target-condition", CONDITION, "--priority", "-1"], "--priority -1 must be 0 or more"),
        (["--target-condition", CONDITION, "--priority", "1", "--id", "Not this"], "--id Not this may only have"),
    ],
)
def test_wrong_arguments_are_exit_code_2(ready: DeploymentFile, arguments: list[str], sentence: str) -> None:
    done = cli("deploy", *arguments, cwd=ready.path.parent, IOTHUB_CONNECTION_STRING="", IOTHUB_ACCESS_TOKEN="")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert sentence in done.stderr


def test_commands_are_printed_and_nothing_is_asked(stub: HubStub, ready: DeploymentFile) -> None:
    arguments = ["--target-condition", CONDITION, "--priority", "10", "--print-commands", "--hub", "myhub"]
    done = cli("deploy", *arguments, cwd=ready.path.parent)
    assert done.stdout.startswith(f"az iot edge deployment create --deployment-id {ready.name} --hub-name myhub")
    one = cli("deploy", "--device", "edge-1", "--print-commands", "--hub", "myhub", cwd=ready.path.parent)
    assert one.stdout.startswith(
        "az iot edge set-modules --device-id edge-1 --hub-name myhub --content deployment.json"
    )
    assert stub.asked == []
    assert SECRET not in done.stdout + one.stdout
