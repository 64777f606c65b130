"""Deployments: what a template becomes."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from template_edits import (
    IMAGE,
    PASSWORD,
    TEMPLATE,
    TO_SCORING,
    VALUES,
    Edit,
    agent,
    build,
    edited,
    options,
    ours,
    routes,
)

from module.errors import SettingsError
from module.packaging.manifest import checks, edge_manifest, manifest, module_twin
from module.settings import Settings


def test_the_projects_template_becomes_a_valid_deployment() -> None:
    """Values in place, nothing of the template's own left, and the published schema is satisfied."""
    content = build()
    checks.check_schema(TEMPLATE, {"modulesContent": content})
    assert ours(content)["settings"]["image"] == IMAGE
    entry = agent(content)["runtime"]["settings"]["registryCredentials"]["scoring"]
    assert entry == {"username": "pull", "password": PASSWORD, "address": "myregistry.azurecr.io"}
    assert routes(content)["predictionsToCloud"]["route"].endswith("INTO $upstream")
    assert ours(content)["env"]["ORT_DISABLE_TELEMETRY"] == {"value": "1"}


def test_the_container_is_asked_for_what_the_module_needs(tmp_path: Path) -> None:
    """A volume for the journal, time to stop, memory and GPUs; what the template says itself stays."""
    bare = edited(tmp_path, lambda content: ours(content)["settings"].pop("createOptions"))
    found = options(ours(build(bare, gpu=True, memory=512 << 20)))
    assert found["StopTimeout"] == 10
    host = found["HostConfig"]
    assert host["Mounts"] == [{"Type": "volume", "Source": "scoring-journal", "Target": "/var/lib/scoring"}]
    assert host["DeviceRequests"] == [{"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]]}]
    assert host["Memory"] == 536_870_912

    own = {"StopTimeout": 60, "HostConfig": {"Binds": ["/srv/j:/var/lib/scoring:rw"], "Runtime": "nvidia"}}
    written = edited(tmp_path, lambda content: ours(content)["settings"].update(createOptions=json.dumps(own)))
    assert options(ours(build(written, gpu=True))) == own


def test_a_slow_stop_and_another_journal_directory_are_followed(tmp_path: Path) -> None:
    def edit(content: dict[str, Any]) -> None:
        ours(content)["env"] |= {"SCORING_STOP_TIMEOUT_S": {"value": "20.5"}, "SCORING_JOURNAL_DIR": {"value": "/j"}}
        del ours(content)["settings"]["createOptions"]

    found = options(ours(build(edited(tmp_path, edit))))
    assert (found["StopTimeout"], found["HostConfig"]["Mounts"][0]["Target"]) == (23, "/j")


def test_long_create_options_are_split_and_too_long_ones_refused(tmp_path: Path) -> None:
    def edit(length: int) -> Edit:
        return lambda content: ours(content)["settings"].update(createOptions={"Cmd": ["x" * length]})

    content = build(edited(tmp_path, edit(1500)))
    assert len(ours(content)["settings"]) == 5
    assert options(ours(content))["Cmd"] == ["x" * 1500]
    with pytest.raises(
        SettingsError, match=r"createOptions of module scoring have 42.. characters, shorten them to 4096"
    ):
        build(edited(tmp_path, edit(4090)))


def test_split_options_of_other_modules_are_read_again(tmp_path: Path) -> None:
    def edit(content: dict[str, Any]) -> None:
        pieces = {"createOptions": '{"Cmd":["a', "createOptions01": 'b"]}'}
        agent(content)["modules"]["other"] = {**ours(content), "settings": {"image": "other:1", **pieces}}

    other = agent(build(edited(tmp_path, edit)))["modules"]["other"]
    assert other["settings"] == {"image": "other:1", "createOptions": '{"Cmd":["ab"]}'}


def test_routes_keep_priority_and_time_to_live_and_become_objects(tmp_path: Path) -> None:
    def edit(content: dict[str, Any]) -> None:
        routes(content)["telemetryToScoring"] = {"route": TO_SCORING, "priority": 0, "timeToLiveSecs": 60}
        routes(content)["predictionsToCloud"] = "FROM /messages/modules/scoring/outputs/* INTO $upstream"

    found = routes(build(edited(tmp_path, edit)))
    assert found["telemetryToScoring"] == {"route": TO_SCORING, "priority": 0, "timeToLiveSecs": 60}
    assert set(found["predictionsToCloud"]) == {"route"}


def test_a_layer_adds_and_overwrites_nothing_below() -> None:
    """Each value has a key of its own; system modules stay out; edge_manifest reads it as the simulator would."""
    content = build(layered=True, twin=(("batch.maxSize", "64"), ("log.level", "debug")))
    assert set(content["$edgeAgent"]) == {
        "properties.desired.modules.scoring",
        "properties.desired.runtime.settings.registryCredentials.scoring",
    }
    assert set(content["$edgeHub"]) == {
        f"properties.desired.routes.{name}" for name in ("telemetryToScoring", "predictionsToCloud", "errorsToCloud")
    }
    assert content["scoring"] == {"properties.desired.batch.maxSize": 64, "properties.desired.log.level": "debug"}
    read = edge_manifest.parse(TEMPLATE, {"modulesContent": content})
    assert read.our_module() == "scoring"
    assert read.desired["scoring"] == {"batch": {"maxSize": 64}, "log": {"level": "debug"}}


def test_a_layer_leaves_routes_of_other_modules_out(tmp_path: Path) -> None:
    def edit(content: dict[str, Any]) -> None:
        agent(content)["modules"]["other"] = ours(content) | {"settings": {"image": "other:1"}}
        routes(content)["others"] = {"route": "FROM /messages/modules/other/outputs/* INTO $upstream"}

    content = build(edited(tmp_path, edit), layered=True)
    assert "properties.desired.routes.others" not in content["$edgeHub"]


def test_desired_properties_are_set_and_checked_by_the_settings() -> None:
    assert build(twin=(("batch.maxSize", "8"), ("rows", "message")))["scoring"]["properties.desired"] == {
        "batch": {"maxSize": 8},
        "rows": "message",
    }


def test_routes_in_the_twin_say_nothing_of_the_inputs() -> None:
    """The module of this version takes its routes from its environment alone."""
    content = build(twin=(("routes", '{"elsewhere": ["amlOutput"]}'),))
    assert content["scoring"]["properties.desired"] == {"routes": {"elsewhere": ["amlOutput"]}}


def test_each_setting_is_in_the_twin_or_fixed_when_the_container_starts() -> None:
    """A new setting has to be given a place, or a reason for having none; every default fits its place."""
    fixed = {"dir", "script", "delivery", "journal_dir", "journal_sync", "stop_timeout_s", "http_port"}
    fixed |= {"init_timeout_s", "capture_dir"}
    fixed |= {"providers", "provider_policy", "provider_options", "latency_target_ms", "calibration_s"}
    assert {*module_twin.PLACES.values(), *fixed} >= set(Settings.__struct_fields__)
    defaults = msgspec.json.decode(msgspec.json.encode(Settings(), enc_hook=str))
    desired: dict[str, Any] = {}
    for place, name in module_twin.PLACES.items():
        module_twin.put(desired, place, json.dumps(defaults[name]))
    module_twin.check_desired("scoring", desired)


def notes(template: Path = TEMPLATE, **options: Any) -> tuple[str, ...]:
    return manifest.build(manifest.ManifestOptions(template=template, image=IMAGE, **options), VALUES).notes


def test_there_is_nothing_to_say_of_the_projects_template() -> None:
    assert notes() == ()


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ("/messages/modules/scoring/outputs/prediction", True),
        ("/messages/modules/scoring/outputs/aml*", True),  # a star inside a name is a plain character
        ("/messages/modules/scoring/inputs/*", True),
        ("/messages/modules/scoring/outputs/AMLOUTPUT", False),
        ("/messages/modules/SCORING/outputs/*", False),
        ("/messages/modules/scoring/*", False),
        ("/messages/modules/*", False),
        ("/messages/*", False),
    ],
)
def test_a_route_from_an_output_that_nobody_writes_to_is_said(tmp_path: Path, route: str, said: bool) -> None:
    spec = {"route": f"FROM {route} INTO $upstream"}
    found = notes(edited(tmp_path, lambda content: routes(content).update(r=spec)))
    sentence = f"route r takes nothing: {route} is no output of module scoring, which writes to amlOutput, errors"
    assert found == ((sentence,) if said else ())


@pytest.mark.parametrize(
    ("edit", "missing"),
    [
        (lambda content: routes(content).pop("errorsToCloud"), "errors (SCORING_ERRORS_OUTPUT)"),
        (lambda content: routes(content).pop("predictionsToCloud"), "amlOutput (SCORING_ROUTES)"),
        (
            lambda content: ours(content)["env"].update(SCORING_NOTHING_OUTPUT={"value": "none"}),
            "none (SCORING_NOTHING_OUTPUT)",
        ),
    ],
)
def test_an_output_that_no_route_takes_is_said(tmp_path: Path, edit: Edit, missing: str) -> None:
    """A route that leads devices' messages to our module takes none of its own, however wide it begins."""
    [found] = notes(edited(tmp_path, edit))
    output = missing.partition(" ")[0]
    assert found == (
        f"no route takes what module scoring writes to output {missing}, edgeHub drops it: add one FROM "
        f"/messages/modules/scoring/outputs/{output} INTO $upstream"
    )


def test_routes_of_the_environment_say_what_is_written(tmp_path: Path) -> None:
    def edit(content: dict[str, Any]) -> None:
        ours(content)["env"] |= {
            "SCORING_ROUTES": {"value": '{"amlInput": ["left", "right"]}'},
            "SCORING_ERRORS_OUTPUT": {"value": "wrong"},
        }

    found = notes(edited(tmp_path, edit))
    assert [each.split(", ")[0] for each in found] == [
        "route predictionsToCloud takes nothing: /messages/modules/scoring/outputs/amlOutput is no output of module "
        "scoring",
        "route errorsToCloud takes nothing: /messages/modules/scoring/outputs/errors is no output of module scoring",
        "no route takes what module scoring writes to output wrong (SCORING_ERRORS_OUTPUT)",
        "no route takes what module scoring writes to output left (SCORING_ROUTES)",
        "no route takes what module scoring writes to output right (SCORING_ROUTES)",
    ]


def test_a_twin_that_this_version_does_not_read_is_said() -> None:
    [found] = notes(twin=(("batch.maxSize", "8"),))
    assert found == (
        "desired property batch.maxSize changes nothing yet, this version reads no twin: write SCORING_MAX_BATCH_SIZE "
        "under env of module scoring in the template"
    )


def test_a_password_in_the_template_itself_is_said(tmp_path: Path) -> None:
    def edit(content: dict[str, Any]) -> None:
        agent(content)["runtime"]["settings"]["registryCredentials"]["scoring"]["password"] = "it-is-this"

    [found] = notes(edited(tmp_path, edit))
    assert found.startswith("the password of registry scoring is written in ")
    assert "it-is-this" not in found


def test_letter_case_in_sources_is_edge_hubs(tmp_path: Path) -> None:
    """As edgeHub compares sources and $upstream, without regard to case: the layer has such routes too."""

    def edit(content: dict[str, Any]) -> None:
        routes(content)["predictionsToCloud"] = {"route": "from /Messages/Modules/SCORING/Outputs/* into $UPSTREAM"}

    assert "predictionsToCloud" in routes(build(edited(tmp_path, edit)))
    assert "properties.desired.routes.predictionsToCloud" in build(edited(tmp_path, edit), layered=True)["$edgeHub"]


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    made = manifest.build(manifest.ManifestOptions(template=TEMPLATE, image=IMAGE), VALUES)
    path = tmp_path / "deployment.json"
    path.write_text("older, and everyone may read it")
    manifest.write(made, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text()) == made.document
    with pytest.raises(SettingsError, match=r"cannot write .*: No such file or directory"):
        manifest.write(made, tmp_path / "gone" / "deployment.json")
    assert [left.name for left in tmp_path.iterdir()] == ["deployment.json"]
