"""What is rolled out, to which hub and by whose leave, without a hub; test_deploy.py has one."""

import json
import os
import time
from base64 import b64encode
from pathlib import Path

import pytest
from template_edits import IMAGE, PASSWORD, TEMPLATE, VALUES

from module.errors import PackagingError, SettingsError
from module.packaging.deployment import deployment_file, hub_access
from module.packaging.deployment.deployment_file import DeploymentFile
from module.packaging.deployment.device import DeviceRollout
from module.packaging.deployment.fleet import FleetRollout, arrived
from module.packaging.deployment.hub_access import HubAccess, access_from, signature
from module.packaging.deployment.iot_hub import IotHub
from module.packaging.manifest import manifest
from module.simulator.edge_hub import sas

KEY = b"a key"
CONNECTION = f"HostName=hub.azure-devices.net;SharedAccessKeyName=owner;SharedAccessKey={b64encode(KEY).decode()}"


def ready(folder: Path, *, password: str = "secret", layered: bool = False) -> DeploymentFile:
    values = {**VALUES, "CONTAINER_REGISTRY_PASSWORD_scoring": password}
    options = manifest.ManifestOptions(template=TEMPLATE, image=IMAGE, layered=layered)
    manifest.write(manifest.build(options, values), folder / "deployment.json")
    return deployment_file.read(folder / "deployment.json", values=values)


def test_a_signature_is_what_another_implementation_accepts() -> None:
    """The simulator's edgeHub checks tokens by code of its own."""
    expiry = int(time.time()) + 60
    token = signature("hub.azure-devices.net", "owner", KEY, expiry)
    assert sas.check(token, KEY, "hub.azure-devices.net", time.time()) == expiry
    assert token.endswith("&skn=owner")


def test_each_request_is_signed_anew_for_ten_minutes_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    access = access_from({"IOTHUB_CONNECTION_STRING": CONNECTION}, "hub")
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    assert "se=1600&" in access.authorization()
    monkeypatch.setattr(time, "time", lambda: 2000.0)
    assert "se=2600&" in access.authorization()


@pytest.mark.parametrize(
    ("text", "hub", "sentence"),
    [
        ("", None, "no IoT Hub is named: set IOTHUB_CONNECTION_STRING"),
        ("HostName=h;SharedAccessKey=c2VjcmV0", None, "IOTHUB_CONNECTION_STRING is not HostName=…"),
        ("HostName=h;SharedAccessKeyName=p;SharedAccessKey=se-cret", None, "with the key in base64"),
        (CONNECTION, "another", "--hub another is not the hub of IOTHUB_CONNECTION_STRING, hub.azure-devices.net"),
    ],
)
def test_a_wrong_connection_string_is_said_without_its_key(text: str, hub: str | None, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        access_from({"IOTHUB_CONNECTION_STRING": text}, hub)
    assert sentence in str(caught.value)
    assert "cret" not in str(caught.value)


def test_az_is_asked_for_a_token_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    az = tmp_path / "az"
    az.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\necho a-token\n')
    az.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    access = access_from({}, "myhub")
    assert access.host == "myhub.azure-devices.net"
    assert [access.authorization(), access.authorization()] == ["Bearer a-token"] * 2
    assert (tmp_path / "asked").read_text().count("--resource https://iothubs.azure.net") == 1


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo 'ERROR: Please run az login' >&2; exit 1", "az gave no token: ERROR: Please run az login"),
        ("exec sleep 30", "az gave no token within 0.1 s: try az login"),
        (None, "neither IOTHUB_CONNECTION_STRING nor IOTHUB_ACCESS_TOKEN is set and az is not installed"),
    ],
)
def test_az_that_gives_no_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, sentence: str
) -> None:
    if script:
        (tmp_path / "az").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "az").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    else:
        monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(hub_access, "_AZ_TIMEOUT", 0.1 if "sleep" in (script or "") else 60)
    with pytest.raises((PackagingError, SettingsError), match=sentence):
        access_from({}, "myhub").authorization()


def test_a_new_password_is_the_same_deployment(tmp_path: Path) -> None:
    """The name is made of the content without its credentials: nothing about a password can be learnt from it."""
    assert ready(tmp_path).name == ready(tmp_path, password="another").name
    assert ready(tmp_path, layered=True).name != ready(tmp_path).name
    assert ready(tmp_path, layered=True).name == ready(tmp_path, password="another", layered=True).name


def test_what_is_no_finished_deployment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is a template: make a deployment of it with scoring-module manifest"):
        deployment_file.read(TEMPLATE)
    document = json.loads(ready(tmp_path).path.read_text())
    modules = document["modulesContent"]["$edgeAgent"]["properties.desired"]["modules"]
    modules["scoring"]["settings"]["image"] = "$CONTAINER_REGISTRY_SERVER/scoring:1"
    path = tmp_path / "left.json"
    path.write_text(json.dumps(document))
    with pytest.raises(SettingsError, match=r"image of module scoring in .* is \$CONTAINER_REGISTRY_SERVER"):
        deployment_file.read(path, values=VALUES)
    del modules["scoring"]["settings"]
    path.write_text(json.dumps(document))
    with pytest.raises(SettingsError, match="'settings' is a required property"):
        deployment_file.read(path, values=VALUES)


def test_a_reference_is_filled_in_from_the_values_alone(tmp_path: Path) -> None:
    """For az, which fills none in, it has to be in the file; a password with dollar signs in it is taken as it is."""
    path = ready(tmp_path, layered=True).path
    with pytest.raises(SettingsError, match=r"az does not fill in: CONTAINER.*: write it .* manifest --with-secrets"):
        deployment_file.read(path)
    with pytest.raises(
        SettingsError, match=r"have no value, set them in .*: \$\{CONTAINER_REGISTRY_PASSWORD_scoring\}"
    ):
        deployment_file.read(path, values={})
    options = manifest.ManifestOptions(template=TEMPLATE, image=IMAGE, layered=True, with_secrets=True)
    manifest.write(manifest.build(options, VALUES), path)
    assert json.dumps(VALUES["CONTAINER_REGISTRY_PASSWORD_scoring"]) in path.read_text()
    assert deployment_file.read(path).content == ready(tmp_path, layered=True, password=PASSWORD).content


@pytest.mark.parametrize("layered", [False, True])
@pytest.mark.parametrize(
    ("route", "sentence"),
    [
        ("FROM /messages/* WHERE temperature > 5 INTO $upstream", "route errorsToCloud in .* is wrong: '>' at "),
        (f"FROM /messages/* WHERE a = '{'x' * 4096}' INTO $upstream", "errorsToCloud.* is longer than 4 KB"),
    ],
)
def test_a_route_edited_by_hand_is_checked_too(tmp_path: Path, route: str, sentence: str, layered: bool) -> None:
    path = ready(tmp_path, layered=layered).path
    document = json.loads(path.read_text())
    hub = document["modulesContent"]["$edgeHub"]
    place = hub if layered else hub["properties.desired"]["routes"]
    place["properties.desired.routes.errorsToCloud" if layered else "errorsToCloud"] = {"route": route}
    path.write_text(json.dumps(document))
    with pytest.raises(SettingsError, match=sentence):
        deployment_file.read(path, values=VALUES)


def test_a_rollout_is_done_when_every_device_has_arrived_and_is_ready() -> None:
    assert arrived({"targeted": 2, "applied": 2, "success": 2, "failing": 0, "ready": 2})
    assert not arrived({"targeted": 0, "applied": 0, "success": 0, "failing": 0, "ready": 0})
    assert not arrived({"targeted": 2, "applied": 2, "success": 1, "failing": 1, "ready": 2})
    assert not arrived({"targeted": 2, "applied": 2, "success": 2, "failing": 0, "ready": 1})


def test_the_commands_of_the_azure_cli(tmp_path: Path) -> None:
    layer = ready(tmp_path, layered=True)
    hub = IotHub(HubAccess("hub.azure-devices.net", str))
    fleet = FleetRollout(hub, "n", layer, condition="tags.a='b c'", priority=3)
    create, show = fleet.az_commands(roll_back=False)
    assert create.endswith("--layered")
    assert "--priority 3" in create
    assert show == "az iot edge deployment show --deployment-id n --hub-name hub --query systemMetrics.results"
    assert fleet.az_commands(roll_back=True) == ["az iot edge deployment delete --deployment-id n --hub-name hub"]
    back = DeviceRollout(hub, "edge-1", layer).az_commands(roll_back=True)
    assert back[0].endswith("deployment.edge-1.previous.json")
