"""Deploying to a hub on loopback that checks every signature: devices, fleets, the way back, and what goes wrong."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from deployments import CONDITION, READY, deployment, written
from hub_stub import SECRET, TOKEN, Fault, HubStub, serving

from module.errors import PackagingError, SettingsError
from module.packaging.deploy_commands import until_done
from module.packaging.deployment.deployment_file import DeploymentFile
from module.packaging.deployment.device import DeviceRollout
from module.packaging.deployment.fleet import FleetRollout
from module.packaging.deployment.hub_access import access_from
from module.packaging.deployment.iot_hub import PAUSES_S, HubError, IotHub
from module.packaging.http_client import LONGEST_WAIT


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStub]:
    with serving(tmp_path) as hub:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        monkeypatch.setenv("NO_PROXY", "localhost")
        yield hub


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def hub(stub: HubStub, pauses: list[float]) -> IotHub:
    return IotHub(access_from({"IOTHUB_CONNECTION_STRING": stub.connection_string()}, None), pauses.append)


@pytest.fixture
def ready(tmp_path: Path) -> DeploymentFile:
    return written(tmp_path, deployment())


def start(hub: IotHub, ready: DeploymentFile, priority: int = 10) -> str:
    return fleet(hub, ready, priority=priority).start()


def fleet(hub: IotHub, ready: DeploymentFile, name: str = "", priority: int = 10) -> FleetRollout:
    return FleetRollout(hub, name or ready.name, ready, condition=CONDITION, priority=priority)


def test_a_device_gets_the_deployment_and_goes_back(stub: HubStub, hub: IotHub, ready: DeploymentFile) -> None:
    """What the device had is kept, private, and is what it has again after the roll-back; twice is once."""
    before = {"modules": {"old": {"settings": {"image": "old:1"}}}}
    stub.add_device("edge 1", "old", **{"$edgeAgent": before})
    assert "deployed" in DeviceRollout(hub, "edge 1", ready).start()
    assert stub.bodies[-1] == {"modulesContent": ready.content}
    kept = DeviceRollout(hub, "edge 1", ready).kept
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "already" in DeviceRollout(hub, "edge 1", ready).start()
    DeviceRollout(hub, "edge 1", ready).roll_back()
    assert stub.twins["edge 1", "$edgeAgent"]["desired"]["modules"] == before["modules"]


def test_a_device_without_a_deployment_has_nothing_to_go_back_to(
    stub: HubStub, hub: IotHub, ready: DeploymentFile
) -> None:
    stub.add_device("edge-1")
    DeviceRollout(hub, "edge-1", ready).start()
    with pytest.raises(SettingsError, match=r"edge-1\.previous\.json is not there"):
        DeviceRollout(hub, "edge-1", ready).roll_back()


def test_a_device_that_is_not_there(hub: IotHub, ready: DeploymentFile) -> None:
    with pytest.raises(PackagingError, match=r"has no device edge-9: check --device"):
        DeviceRollout(hub, "edge-9", ready).start()


def test_a_layer_is_not_for_one_device(hub: IotHub, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is a layer, which needs --target-condition"):
        DeviceRollout(hub, "edge-1", written(tmp_path, deployment(layered=True))).start()


def test_a_fleet_gets_one_configuration(stub: HubStub, hub: IotHub, ready: DeploymentFile) -> None:
    assert start(hub, ready).startswith(f"created deployment {ready.name}")
    there = stub.configurations[ready.name]
    assert there["content"] == {"modulesContent": ready.content}
    assert (there["targetCondition"], there["priority"]) == (CONDITION, 10)
    assert "'ready'" in there["metrics"]["queries"]["scoringReady"]
    assert SECRET not in json.dumps(there["labels"])
    assert "already, unchanged" in start(hub, ready)


def test_another_priority_changes_what_is_there_by_its_etag(stub: HubStub, hub: IotHub, ready: DeploymentFile) -> None:
    start(hub, ready)
    etag = stub.configurations[ready.name]["etag"]
    assert start(hub, ready, priority=11).startswith("changed")
    assert stub.if_match == [f'"{etag}"']
    assert stub.configurations[ready.name]["priority"] == 11


def test_a_change_by_someone_else_is_said(stub: HubStub, hub: IotHub, ready: DeploymentFile) -> None:
    start(hub, ready)
    stub.faults = [Fault(200, after=True), Fault(412, message="the etag is another")]
    with pytest.raises(HubError, match=r"changed it on .* meanwhile \(the etag is another\): run the command again"):
        start(hub, ready, priority=11)


def test_another_content_needs_another_name(hub: IotHub, ready: DeploymentFile, tmp_path: Path) -> None:
    start(hub, ready)
    other = written(tmp_path, deployment(memory=1 << 30), "other.json")
    assert other.name != ready.name
    with pytest.raises(PackagingError, match="whose content cannot change: choose another --id"):
        fleet(hub, other, ready.name).start()


def test_rolling_back_names_what_the_devices_go_back_to(
    stub: HubStub, hub: IotHub, ready: DeploymentFile, tmp_path: Path
) -> None:
    old = written(tmp_path, deployment(memory=1 << 30), "old.json")
    start(hub, old, priority=5)
    start(hub, ready)
    assert fleet(hub, ready).roll_back().endswith(f"{old.name} (priority 5)")
    assert list(stub.configurations) == [old.name]


def test_a_deployment_for_other_devices_is_not_taken_away(stub: HubStub, hub: IotHub, ready: DeploymentFile) -> None:
    """Neither by a rollback, nor by a second line that gets the same file, unless its name is given."""
    start(hub, ready)
    before = stub.configurations[ready.name].copy()
    other = FleetRollout(hub, None, ready, condition="tags.line='4'", priority=10)
    with pytest.raises(PackagingError, match=r"is for devices where tags.line='3': give that as --target-condition"):
        other.roll_back()
    with pytest.raises(
        PackagingError, match=r"for devices where tags.line='3': give a new --id to have both, or --id "
    ):
        other.start()
    assert stub.configurations == {ready.name: before}
    both = FleetRollout(hub, "line-4", ready, condition="tags.line='4'", priority=10)
    assert both.start().startswith("created deployment line-4")
    said = FleetRollout(hub, ready.name, ready, condition="tags.line='4'", priority=11).start()
    assert said.endswith(
        "priority 11, for devices where tags.line='4'; it had priority 10, for devices where " + CONDITION
    )


def test_the_only_deployment_is_not_taken_away(stub: HubStub, hub: IotHub, ready: DeploymentFile) -> None:
    start(hub, ready)
    with pytest.raises(PackagingError, match="is the only base deployment"):
        fleet(hub, ready).roll_back()
    assert ready.name in stub.configurations


def test_an_entra_token_opens_the_hub(stub: HubStub, ready: DeploymentFile) -> None:
    hub = IotHub(access_from({"IOTHUB_ACCESS_TOKEN": TOKEN}, stub.host))
    assert start(hub, ready).startswith("created")


def test_a_wrong_key_is_refused_at_once(stub: HubStub, pauses: list[float], ready: DeploymentFile) -> None:
    wrong = {"IOTHUB_CONNECTION_STRING": stub.connection_string("d3Jvbmc=")}
    with pytest.raises(
        HubError, match=r"does not accept the credentials \(ErrorCode:ForThisTest;the signature is wrong"
    ):
        start(IotHub(access_from(wrong, None), pauses.append), ready)
    assert pauses == []


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(403, "does not allow this"), (400, "answers 400"), (302, "answers 302"), (404, "does not have it")],
)
def test_a_refusal_is_one_sentence(stub: HubStub, hub: IotHub, status: int, sentence: str) -> None:
    stub.faults = [Fault(status, {"Location": "https://elsewhere.invalid/"})]
    with pytest.raises(HubError, match=sentence) as caught:
        hub.request("GET", "configurations")
    assert "\n" not in str(caught.value)
    assert len(stub.asked) == 1


def test_a_throttled_request_waits_as_long_as_the_hub_says(stub: HubStub, hub: IotHub, pauses: list[float]) -> None:
    stub.faults = [Fault(429, {"Retry-After": "7"}), Fault(429, {"Retry-After": "9999"}), Fault(503)]
    assert hub.request("GET", "configurations") == []
    assert pauses == [7, LONGEST_WAIT, PAUSES_S[2]]


@pytest.mark.parametrize(("fault", "sentence"), [(Fault(429), "is throttling"), (Fault(), "cannot be reached")])
def test_trying_again_has_an_end(stub: HubStub, hub: IotHub, pauses: list[float], fault: Fault, sentence: str) -> None:
    stub.faults = [fault] * 100
    with pytest.raises(PackagingError, match=rf"{sentence} \(.*\), 5 times: try again later"):
        hub.request("GET", "configurations")
    assert (len(stub.asked), pauses) == (5, [1, 2, 4, 8])


def test_a_lost_answer_does_not_make_a_second_deployment(stub: HubStub, hub: IotHub, ready: DeploymentFile) -> None:
    """The first PUT arrives and its answer is lost; the second one meets what the first has made."""
    stub.faults = [Fault(404), Fault(after=True)]
    assert start(hub, ready).startswith("created")
    assert [method for method, _ in stub.asked] == ["GET", "PUT", "PUT", "GET"]


def test_nobody_listens(stub: HubStub, pauses: list[float]) -> None:
    text = stub.connection_string().replace(stub.host, "localhost:1")
    with pytest.raises(PackagingError, match=r"localhost:1 cannot be reached \(Connection refused\), 5 times"):
        IotHub(access_from({"IOTHUB_CONNECTION_STRING": text}, None), pauses.append).request("GET", "configurations")


def test_a_host_that_does_not_exist_is_not_tried_again(pauses: list[float]) -> None:
    hub = IotHub(access_from({"IOTHUB_ACCESS_TOKEN": TOKEN}, "hub.invalid"), pauses.append)
    with pytest.raises(PackagingError, match=r"there is no host hub.invalid, or no name server is reached"):
        hub.request("GET", "configurations")
    assert pauses == []


def test_an_untrusted_certificate(stub: HubStub, monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    hub = IotHub(access_from({"IOTHUB_CONNECTION_STRING": stub.connection_string()}, None), pauses.append)
    with pytest.raises(PackagingError, match=r"certificate of .* is not trusted .*: set SSL_CERT_FILE"):
        hub.request("GET", "configurations")
    assert pauses == []


def test_a_device_is_watched_until_its_module_says_ready(
    stub: HubStub, hub: IotHub, ready: DeploymentFile, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.add_device("edge-1", "scoring")
    rollout = DeviceRollout(hub, "edge-1", ready)
    rollout.start()
    with pytest.raises(PackagingError, match=r"not done within 0.05 s: edge-1: edgeAgent has not taken it yet"):
        until_done(rollout.look, timeout=0.05, every=0.02)
    failed = {"scoring": {"runtimeStatus": "failed", "statusDescription": "exit code 3"}}
    stub.report("edge-1", "$edgeAgent", **{**READY, "modules": failed})
    with pytest.raises(PackagingError, match="module scoring is failed, exit code 3"):
        until_done(rollout.look, timeout=0.01, every=0.02)
    stub.report("edge-1", "$edgeAgent", **READY)
    stub.report("edge-1", "scoring", status="the journal cannot be written")
    with pytest.raises(PackagingError, match="running and says: the journal cannot be written"):
        until_done(rollout.look, timeout=0.01, every=0.02)
    stub.report("edge-1", "scoring", status="ready")
    until_done(rollout.look, timeout=1, every=0.02)
    assert capsys.readouterr().out.endswith("edge-1: module scoring is running and says: ready\n")


def test_a_fleet_is_watched_until_every_device_has_arrived(stub: HubStub, hub: IotHub, ready: DeploymentFile) -> None:
    start(hub, ready)
    there = stub.configurations[ready.name]
    counts = {"targetedCount": 2, "appliedCount": 2, "reportedSuccessfulCount": 1, "reportedFailedCount": 1}
    there["systemMetrics"] = {"results": counts}
    stub.add_device("edge-2", "scoring")
    stub.failing = ["edge-2"]
    pulled = {"code": 500, "description": "image pull failed:\n401"}
    stub.report("edge-2", "$edgeAgent", **{**READY, "lastDesiredStatus": pulled, "modules": {}})
    expected = "2 targeted, 2 applied, 1 success, 1 failing, 0 ready; edge-2: image pull failed: 401, module scoring is"
    with pytest.raises(PackagingError, match=expected):
        until_done(fleet(hub, ready).look, timeout=0.01, every=0.02)
    there["systemMetrics"] = {"results": {**counts, "reportedSuccessfulCount": 2, "reportedFailedCount": 0}}
    there["metrics"]["results"] = {"scoringReady": 2}
    until_done(fleet(hub, ready).look, timeout=1, every=0.02)
