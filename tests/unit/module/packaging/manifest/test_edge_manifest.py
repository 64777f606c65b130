"""Deployment files: what is read, and what each mistake is called."""

import json
from pathlib import Path
from typing import Any

import pytest

from module.errors import SettingsError
from module.packaging.manifest.edge_manifest import DEFAULT_PRIORITY, EdgeManifest, RouteSpec, read

TO_A = 'FROM /messages/* INTO BrokeredEndpoint("/modules/a/inputs/in")'
TO_B = 'FROM /messages/* INTO BrokeredEndpoint("/modules/b/inputs/in")'
UP = "FROM /messages/modules/a/outputs/* INTO $upstream"


def manifest(routes: object, modules: tuple[str, ...] = ("a", "b"), **content: Any) -> dict[str, Any]:
    agent = {"properties.desired": {"modules": {name: {} for name in modules}}}
    hub = {"properties.desired": {"schemaVersion": "1.1", "routes": routes}}
    return {"modulesContent": {"$edgeAgent": agent, "$edgeHub": hub, **content}}


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(document: object) -> Path:
        path = tmp_path / "deployment.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return path

    return write


def load(written: Any, document: object) -> EdgeManifest:
    return read(written(document))


def test_reads_routes_of_both_schemas(written: Any) -> None:
    routes = {"plain": UP, "object": {"route": TO_A, "priority": 0, "timeToLiveSecs": 60}, "bare": {"route": TO_B}}
    found = load(written, manifest(routes)).routes
    assert found["plain"] == RouteSpec(UP, DEFAULT_PRIORITY, 0)
    assert found["object"] == RouteSpec(TO_A, 0, 60)
    assert found["bare"] == RouteSpec(TO_B, DEFAULT_PRIORITY, 0)


def test_reads_modules_and_twins(written: Any) -> None:
    twin = {"properties.desired": {"batch": {"maxSize": 8}}}
    found = load(written, manifest({"r": TO_A}, modules=("a",), a=twin, c={"properties.desired": {}}))
    assert found.modules == ("a", "c")
    assert found.desired["a"] == {"batch": {"maxSize": 8}}


def test_merges_the_keys_of_a_layered_deployment(written: Any) -> None:
    document = {
        "modulesContent": {
            "$edgeAgent": {"properties.desired.modules.a": {"type": "docker"}},
            "$edgeHub": {"properties.desired.routes.up": UP},
            "a": {"properties.desired": {"batch": {"maxSize": 8}}, "properties.desired.batch.maxDelayMs": 5},
        }
    }
    found = load(written, document)
    assert found.modules == ("a",)
    assert found.routes == {"up": RouteSpec(UP)}
    assert found.desired["a"] == {"batch": {"maxSize": 8, "maxDelayMs": 5}}


def test_our_module_is_the_only_one_that_routes_lead_to(written: Any) -> None:
    assert load(written, manifest({"in": TO_A, "up": UP})).our_module() == "a"


def test_our_module_may_be_chosen(written: Any) -> None:
    assert load(written, manifest({"a": TO_A, "b": TO_B})).our_module("b") == "b"


@pytest.mark.parametrize(
    ("routes", "name", "sentence"),
    [
        ({"a": TO_A, "b": TO_B}, None, "lead to several modules, choose with --module: a, b"),
        ({"up": UP}, None, "leads to a module"),
        ({"a": TO_A.replace("inputs", "input")}, None, "route a in .* is wrong: .*/input/"),
        ({"up": UP, "a": TO_A.replace("Brokered", "Brokred")}, None, "route a in .* is wrong: .*BrokredEndpoint"),
        ({"a": "FROM /messages/* INTO $NOT_FILLED_IN"}, None, "leads to a module"),
        ({"a": TO_A}, "z", "has no module z, only a, b"),
    ],
)
def test_our_module_says_what_could_be_meant(
    written: Any, routes: dict[str, str], name: str | None, sentence: str
) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load(written, manifest(routes)).our_module(name)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("{ // comment\n x}", "is not JSON: .*line 2"),
        ("[]", "no modulesContent"),
        ({"modules": {}}, "no modulesContent"),
        ({"modulesContent": []}, "modulesContent in .* must be a JSON object, not list"),
        (
            {"modulesContent": {"$edgeHub": {"properties.desired": {"routes": "x"}}}},
            r"routes in .* must be a JSON object",
        ),
        (manifest({"r": 5}), "route r in .* is neither text nor an object"),
        (manifest({"r": {"priority": 1}}), "route r in .* is neither text nor an object"),
        (manifest({"r": {"route": UP, "priority": 10}}), "route r in .* has priority 10, it must be 0 to 9"),
        (manifest({"r": {"route": UP, "timeToLiveSecs": -1}}), "route r in .* has timeToLiveSecs -1"),
    ],
)
def test_names_the_file_and_the_place(written: Any, document: object, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence) as caught:
        load(written, document)
    assert "deployment.json" in str(caught.value)


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot read .*nowhere.json: No such file"):
        read(tmp_path / "nowhere.json")
