"""Mistakes in templates: each is refused by its name, and no secret is in the sentence."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from template_edits import PASSWORD, TEMPLATE, VALUES, Edit, agent, build, edited, ours, routes

from module.errors import SettingsError

TO_GONE = 'FROM /messages/* INTO BrokeredEndpoint("/modules/gone/inputs/i")'


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        ("batch.maxsize", "8", "batch.maxsize of module scoring is unknown: did you mean batch.maxSize?"),
        ("batch.maxSize", "-1", "batch.maxSize of module scoring is -1: expected a whole number >= 0"),
        ("batch.maxSize", "many", 'batch.maxSize of module scoring is "many": expected a whole number'),
        ("log.level", "loud", 'log.level of module scoring is "loud": expected one of debug, info, warning, error'),
        ("batch.maxDelayMs", "60001", "batch.maxDelayMs of module scoring is 60001: expected a number <= 60000"),
        ("run.timeoutS", "0", "run.timeoutS of module scoring is 0: expected a number > 0"),
        ("unwrap", "yes", 'unwrap of module scoring is "yes": expected one of true, false'),
        ("routes", '{"in": "out"}', 'routes of module scoring is {"in":"out"}: expected a JSON array, inside of it'),
        ("routes", "in", 'routes of module scoring is "in": expected a JSON object'),
        ("errorsOutput", "7", "errorsOutput of module scoring is 7: expected a text, got a whole number"),
        ("a b", "1", "a b of module scoring has a '.', '$', '#' or space in its name"),
        ("model.name", "x" * 5000, "model.name of module scoring is longer than 4 KB"),
        (".".join("abcdefghijkl"), "1", "is nested deeper than 10 levels"),
    ],
)
def test_a_wrong_desired_property_is_named(place: str, value: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        build(twin=((place, value),))
    assert sentence in str(caught.value)


def scheme(content: dict[str, Any]) -> None:
    agent(content)["runtime"]["settings"]["registryCredentials"]["scoring"]["address"] = "https://r.azurecr.io"


def other_image(image: str) -> Edit:
    def edit(content: dict[str, Any]) -> None:
        agent(content)["modules"]["other"] = ours(content) | {"settings": {"image": image}}

    return edit


def route(text: str, name: str = "r") -> Edit:
    return lambda content: routes(content).update({name: {"route": text}})


def many_routes(content: dict[str, Any]) -> None:
    one = f"FROM /messages/* WHERE a = '{'y' * 1000}' INTO $upstream"
    routes(content).update({f"r{number}": {"route": one} for number in range(40)})


def env(name: str, value: str) -> Edit:
    return lambda content: ours(content)["env"].update({name: {"value": value}})


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (scheme, "registry address of scoring in {} begins with https://, write it without"),
        (other_image("https://r/other:1"), "image of module other in {} begins with https://, write it without"),
        (other_image("${MODULES.other}"), "${MODULES.other} at $edgeAgent.properties.desired.modules.other.settings"),
        (other_image("$registry/other:1"), "$registry at $edgeAgent.properties.desired.modules.other.settings.image"),
        (route(TO_GONE), "routes in {} lead to several modules"),
        (route("FROM /messages/modules/gone/outputs/* INTO $upstream"), "takes messages from module gone, which is"),
        (route("FROM /messages/*"), "route r in {} is wrong: it ends too early"),
        (
            route("FROM /messages/* WHERE level = '3' AND AND true INTO $upstream"),
            "route r in {} is wrong: 'AND' at character 40 is not expected",
        ),
        (route("FROM /messages/* WHERE (a INTO $upstream"), "route r in {} is wrong: 'INTO' at character 27 is not"),
        (route("FROM /messages/* INTO BrokeredEndpoint('/module/scoring/input/i')"), "route r in {} is wrong: B"),
        (route("FROM /messages/* INTO $cloud"), "route r in {} is wrong: $cloud is not a place"),
        (route("FROM /messages/* INTO $upstream", "a.b"), "routes.a.b of module $edgeHub has a '.', '$', '#' or space"),
        (route("FROM /messages/* INTO $upstream", "$x"), "routes.$x of module $edgeHub has a '.', '$', '#' or space"),
        (route("FROM /messages/* INTO $upstream", "a\nb"), r"routes.'a\nb' of module $edgeHub has a '.', '$', '#'"),
        (route("FROM /messages/* INTO $upstream", ""), "routes.'' of module $edgeHub has no name"),
        (route("FROM /messages/* INTO $upstream", "x" * 1025), "of module $edgeHub has a name longer than 1 KB"),
        (
            route(f"FROM /messages/* WHERE a = '{'y' * 4096}' INTO $upstream"),
            "routes.r.route of module $edgeHub is lon",
        ),
        (route("FROM /messages/*\nINTO $upstream"), "route r in {} has a line break in it: write it in one line"),
        (many_routes, "the desired properties of module $edgeHub are larger than the 32 KB of a twin"),
        (env("SCORING_MODEL_NAME", "x" * 4097), "env.SCORING_MODEL_NAME.value of module $edgeAgent is longer than 4"),
        (env("SCORING_MERGE", "bogus"), "SCORING_MERGE is 'bogus': expected one of off, prove, always"),
        (env("SCORING_MAX_BATCH_SIZE", "-1"), "SCORING_MAX_BATCH_SIZE is '-1': expected a whole number >= 0"),
        (route("FROM /messages/modules/SCORING2/outputs/* INTO $upstream"), "takes messages from module SCORING2, wh"),
        (route("FROM /messages/* WHERE ${LIMIT} < 3 INTO $upstream"), "${LIMIT} at $edgeHub.properties.desired.routes"),
        (env("SCORING_ROUTES", '{"in": ["out"]}'), "leads to input amlInput, which SCORING_ROUTES"),
        (env("SCORING_ROUTES", "in → out"), "env of module scoring: SCORING_ROUTES is 'in → out': it is not JSON"),
        (env("SCORING_ROUTES", '{"in": "out"}'), 'SCORING_ROUTES is \'{"in": "out"}\': expected a JSON array'),
        (env("SCORING_MAX_BATCHSIZE", "3"), "is no setting: did you mean SCORING_MAX_BATCH_SIZE?"),
        (env("SCORING_STOP_TIMEOUT_S", "soon"), "SCORING_STOP_TIMEOUT_S is 'soon': expected a number"),
        (lambda content: ours(content).pop("status"), "modules.scoring: 'status' is a required property"),
        (lambda content: ours(content).update(status="on"), 'status: breaks the rule enum ["running","stopped"]'),
        (lambda content: content.pop("$edgeHub"), "no route in {} leads to a module"),
        (lambda content: agent(content).update(schemaVersion="1.2"), "has schemaVersion 1.2: write 1.1"),
        (lambda content: agent(content)["modules"].clear(), "module scoring, which routes in {} lead to, is not among"),
        (lambda content: ours(content)["settings"].update(createOptions="{"), "of module scoring are not JSON"),
    ],
)
def test_a_mistake_in_the_template_is_named(tmp_path: Path, edit: Edit, sentence: str) -> None:
    template = edited(tmp_path, edit)
    with pytest.raises(SettingsError) as caught:
        build(template)
    assert sentence.replace("{}", str(template)) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert PASSWORD not in str(caught.value)


def places(value: object, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*above, name)
            yield from places(inner, (*above, name))


@pytest.mark.parametrize("wrong", [[], 5, "x", None, {"a": 5}, [5]])
def test_a_template_of_any_other_shape_is_a_sentence_or_good(tmp_path: Path, wrong: object) -> None:
    for *parents, last in places(json.loads(TEMPLATE.read_text())["modulesContent"]):

        def edit(content: Any, parents: list[str] = parents, last: str = last) -> None:
            for name in parents:
                content = content[name]
            content[last] = wrong

        try:
            build(edited(tmp_path, edit))
        except SettingsError as error:
            assert "\n" not in str(error)  # noqa: PT017 - some are good: {} is no mistake everywhere


def test_a_route_to_a_module_that_is_not_deployed_is_named(tmp_path: Path) -> None:
    edit = route(TO_GONE)
    with pytest.raises(
        SettingsError, match=r"route r in .* leads to module gone, which is not deployed: there are scoring"
    ):
        build(edited(tmp_path, edit), module="scoring")


def test_a_missing_or_empty_value_is_named_with_its_place() -> None:
    """Never left in the deployment, as iotedgedev does when its .env is missing."""
    values = {**VALUES, "CONTAINER_REGISTRY_PASSWORD_scoring": ""}
    del values["CONTAINER_REGISTRY_SERVER"]
    with pytest.raises(SettingsError) as caught:
        build(values=values)
    place = "$edgeAgent.properties.desired.runtime.settings.registryCredentials.scoring"
    assert f"$CONTAINER_REGISTRY_PASSWORD_scoring at {place}.password" in str(caught.value)
    assert f"$CONTAINER_REGISTRY_SERVER at {place}.address" in str(caught.value)
