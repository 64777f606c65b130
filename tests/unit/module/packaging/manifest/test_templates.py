"""Templates as iotedgedev has written them from its generation 1.0 to 4.0, and as people have changed them since.

Each becomes a deployment that the published schema allows and ``deploy`` takes, or a sentence that is true.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from published_schemas import violations
from template_edits import IMAGE, agent, options, routes

from module.errors import SettingsError
from module.packaging.deployment import deployment_file
from module.packaging.manifest import checks, manifest, placeholders

PORTS = {"HostConfig": {"PortBindings": {"8883/tcp": [{"HostPort": "8883"}], "443/tcp": [{"HostPort": "443"}]}}}
SENSOR = "mcr.microsoft.com/azureiotedge-simulated-temperature-sensor:1.0"
VALUES = {
    "CONTAINER_REGISTRY_USERNAME": "puller",
    "CONTAINER_REGISTRY_PASSWORD": 'se"cret$word',
    "CONTAINER_REGISTRY_SERVER": "myregistry.azurecr.io",
    "STORAGE_KEY": "c2VjcmV0\\==",
    "storage.key": "a$b${c}",
    "LEVEL": "debug",
    "DATA": "/srv/data",
}
SECRETS = [VALUES[name] for name in ("CONTAINER_REGISTRY_PASSWORD", "STORAGE_KEY", "storage.key")]

Edit = Callable[[dict[str, Any]], object]


def template(generation: str, folder: Path) -> dict[str, Any]:
    """Give what ``iotedgedev new`` made at that time: a simulated sensor, and a module that takes its readings."""
    old = generation < "2"

    def module(image: str, create_options: dict[str, Any]) -> dict[str, Any]:
        written = (json.dumps(create_options) if create_options else "") if old else create_options
        about = {"version": "1.0", "type": "docker", "status": "running", "restartPolicy": "always"}
        return {**about, "settings": {"image": image, "createOptions": written}}

    system = {name: module(f"mcr.microsoft.com/azureiotedge-{name[4:].lower()}:1.0", {}) for name in ("edgeAgent",)}
    system["edgeHub"] = module("mcr.microsoft.com/azureiotedge-hub:1.0", PORTS)
    for each in system.values():
        del each["version"]
    del system["edgeAgent"]["status"], system["edgeAgent"]["restartPolicy"]
    modules = {"sensor": module(SENSOR, {}), "filter": module("${MODULES.filter.amd64}", {})}
    readings = 'FROM /messages/modules/sensor/outputs/* INTO BrokeredEndpoint("/modules/filter/inputs/amlInput")'
    paths = {"sensorToFilter": readings, "filterToIoTHub": "FROM /messages/modules/filter/outputs/* INTO $upstream"}
    entry = {key: f"$CONTAINER_REGISTRY_{key.upper()}" for key in ("username", "password")}
    settings = {"minDockerVersion": "v1.25", "loggingOptions": "", "registryCredentials": {"acr": entry}}
    entry["address"] = "$CONTAINER_REGISTRY_SERVER"
    version = "1.0" if generation < "3" else "1.1"
    desired: dict[str, Any] = {"schemaVersion": version, "runtime": {"type": "docker", "settings": settings}}
    desired |= {"systemModules": system, "modules": modules}
    stored = {"timeToLiveSecs": 7200}
    hub = {
        "schemaVersion": "1.2" if generation > "4" else version,
        "routes": paths,
        "storeAndForwardConfiguration": stored,
    }
    twins = {"$edgeAgent": desired, "$edgeHub": hub}
    place = folder / "modules" / "filter"
    place.mkdir(parents=True)
    image = {"repository": "$CONTAINER_REGISTRY_SERVER/filter", "tag": {"version": "0.0.1", "platforms": {"amd64": ""}}}
    (place / "module.json").write_text(json.dumps({"image": image}))
    content = {name: {"properties.desired": twin} for name, twin in twins.items()}
    return {"$schema-template": generation, "modulesContent": content}


def made(path: Path, name: str | None = None) -> dict[str, Any]:
    """Make the deployment, take it for a device, and give what that would get."""
    values = {**VALUES, **placeholders.module_images(path, "amd64")}
    asked = manifest.ManifestOptions(template=path, image=IMAGE, module=name)
    deployment = manifest.build(asked, values)
    checks.check_schema(path, deployment.document)
    written = path.with_name("deployment.json")
    manifest.write(deployment, written)
    assert not [secret for secret in SECRETS if json.dumps(secret)[1:-1] in written.read_text()]
    content = deployment_file.read(written, deployment.module, VALUES).content
    whole = manifest.build(manifest.ManifestOptions(template=path, image=IMAGE, module=name, with_secrets=True), values)
    assert content == whole.document["modulesContent"]
    return content


@pytest.mark.parametrize("generation", ["1.0.0", "2.0.0", "3.0.0", "4.0.0"])
def test_each_generation_becomes_a_deployment(generation: str, tmp_path: Path) -> None:
    document = template(generation, tmp_path)
    if generation > "2":  # older ones are allowed by no schema that is published still
        assert violations(f"azure-iot-edge-deployment-template-{generation[:3]}.json", document) == []
    path = tmp_path / "deployment.template.json"
    path.write_text(json.dumps(document))
    content = made(path)
    entry = agent(content)["runtime"]["settings"]["registryCredentials"]["acr"]
    assert entry["password"] == VALUES["CONTAINER_REGISTRY_PASSWORD"]
    assert agent(content)["schemaVersion"] == "1.1"
    assert options(agent(content)["systemModules"]["edgeHub"]) == PORTS


@pytest.mark.parametrize(("generation", "is_said"), [("4.0.1", False), ("5.0.0", True), ("x", True)])
def test_the_older_spelling_and_an_unknown_generation(generation: str, is_said: bool, tmp_path: Path) -> None:
    document = template("1.0.0", tmp_path) | {"$schema-template": generation}
    document["moduleContent"] = document.pop("modulesContent")
    path = tmp_path / "deployment.template.json"
    path.write_text(json.dumps(document))
    made(path)
    options = manifest.ManifestOptions(template=path, image=IMAGE)
    notes = manifest.build(options, {**VALUES, **placeholders.module_images(path, "amd64")}).notes
    assert any(f"$schema-template of {path} is {generation}: known are" in note for note in notes) is is_said


def in_filter(**changes: Any) -> Edit:
    return lambda content: agent(content)["modules"]["filter"].update(changes)


def in_options(value: object) -> Edit:
    return lambda content: agent(content)["modules"]["sensor"]["settings"].update(createOptions=value)


def in_sensor(**changes: Any) -> Edit:
    return lambda content: agent(content)["modules"]["sensor"]["settings"].update(changes)


def in_twin(**desired: Any) -> Edit:
    return lambda content: content.update(sensor={"properties.desired": desired})


def route(text: object, name: str = "r") -> Edit:
    return lambda content: routes(content).update({name: text})


def entry(**changes: str) -> Edit:
    return lambda content: agent(content)["runtime"]["settings"]["registryCredentials"]["acr"].update(changes)


@pytest.mark.parametrize("generation", ["1.0.1", "2.0.0", "4.0.0"])
@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (in_options({"Env": ["ACCOUNT=a", "ACCOUNT_KEY=$STORAGE_KEY"], "HostConfig": {"Binds": ["$DATA:/data"]}}), ""),
        (in_options('{"Env":["ACCOUNT_KEY=${STORAGE_KEY}"],"HostConfig":{"Binds":["${DATA}:/d"]}}'), ""),
        (in_options({"Cmd": ["sh", "-c", "echo $$HOME $${DATA} $$ a$"]}), ""),
        (in_options({"Labels": {"key": "$${STORAGE_KEY}", "x" * 400: "${STORAGE_KEY}" * 9}}), ""),
        (in_options(""), ""),
        (in_twin(cloudStorageConnectionString="AccountKey=$STORAGE_KEY;x", level="$LEVEL"), ""),
        (in_filter(env={"DB_PASSWORD": {"value": "$STORAGE_KEY"}, "SCORING_LOG_LEVEL": {"value": "$LEVEL"}}), ""),
        (in_filter(imagePullPolicy="on-create", startupOrder=1), ""),
        (entry(address="myregistry.azurecr.io:443", username="$CONTAINER_REGISTRY_USERNAME"), ""),
        (lambda content: agent(content)["runtime"]["settings"].update(registryCredentials={}), ""),
        (route({"route": "FROM /messages/* WHERE a = '$$LEVEL' INTO $upstream", "priority": 9}), ""),
        (route("FROM /messages/modules/sensor/* WHERE $body.key.$$sub = 1 INTO $upstream"), ""),
        (in_options("{"), "createOptions of module sensor are not JSON"),
        (in_options("$OPTIONS"), "createOptions of module sensor are not JSON"),
        (
            in_filter(env={"SCORING_MAX_BATCH_SIZE": {"value": "many"}}),
            "SCORING_MAX_BATCH_SIZE is 'many': expected a w",
        ),
        (
            in_filter(env={"SCORING_MERGE": "off"}),
            'env SCORING_MERGE of module filter is no JSON object: write {"value',
        ),
        (in_filter(env={"A": {"value": "$GONE"}}), "$GONE at $edgeAgent.properties.desired.modules.filter.env.A.value"),
        (in_filter(env={"A": {"value": "${}"}}), "} at $edgeAgent.properties.desired.modules.filter.env.A.value"),
        (in_filter(env={"${}": {"value": "x"}}), "} at $edgeAgent.properties.desired.modules.filter.env"),
        (in_filter(env={"A_KEY": {"value": "${storage.key}"}}), ""),
        (in_sensor(image="${MODULES.gone}"), "${MODULES.gone} at "),
        (in_sensor(image="${MODULEDIR<../gone>.debug}"), "settings.image, which no module.json names"),
        (in_sensor(image="https://r.io/sensor:1"), "image of module sensor in {} begins with https://, write it witho"),
        (in_sensor(image=""), "image of module sensor in {} is empty"),
        (in_sensor(_comment="x"), "modules.sensor.settings: '_comment' does not match any of"),
        (
            entry(address="#{acr.host}#"),
            "registry address of acr in {} is #{acr.host}#: that is no name of an image or",
        ),
        (entry(address="<your registry>"), "registry address of acr in {} is <your registry>: that is no name"),
        (route("FRM /messages/* INTO $upstream"), "route r in {} is wrong: 'FRM' at character 1 is not expected"),
        (route("FROM /messages/* WHERE a >> 1 INTO $upstream"), "route r in {} is wrong: '>' at character 27"),
        (route("FROM /messages/* WHERE nofunction(a) INTO $upstream"), "route r in {} is wrong: "),
        (route("FROM /messages/* WHERE temperature > 5 INTO $upstream"), "route r in {} is wrong: '>' at character"),
        (route({"routes": "FROM /messages/* INTO $upstream"}), "route r in {} is neither text nor an object"),
        (route("FROM /messages/modules/gone/* INTO $upstream"), "takes messages from module gone, which is not dep"),
        (lambda content: routes(content).clear(), "no route in {} leads to a module: add one or choose with --module"),
        (
            lambda content: content["$edgeHub"]["properties.desired"].update(schemaVersion="2"),
            "schemaVersion 2: write 1.1",
        ),
        (lambda content: agent(content)["modules"]["sensor"].pop("type"), "sensor: 'type' is a required property"),
    ],
)
def test_a_changed_one_becomes_a_deployment_or_a_sentence(
    tmp_path: Path, generation: str, edit: Edit, sentence: str
) -> None:
    document = template(generation, tmp_path)
    edit(document["modulesContent"])
    path = tmp_path / "deployment.template.json"
    path.write_text(json.dumps(document))
    if not sentence:
        made(path)
        return
    with pytest.raises(SettingsError) as caught:
        made(path)
    assert sentence.replace("{}", str(path)) in str(caught.value)
    assert not [secret for secret in SECRETS if secret in str(caught.value)]


def test_two_dollar_signs_are_one_that_is_meant(tmp_path: Path) -> None:
    document = template("4.0.0", tmp_path)
    content = document["modulesContent"]
    in_options({"Cmd": ["$$HOME ${DATA} $${DATA} $$$DATA $$ $1", "A_KEY=$$STORAGE_KEY", "A_KEY=$${STORAGE_KEY}"]})(
        content
    )
    route("FROM /messages/* WHERE a = '$$LEVEL$LEVEL' INTO $upstream")(content)
    path = tmp_path / "deployment.template.json"
    path.write_text(json.dumps(document))
    got = made(path)
    assert options(agent(got)["modules"]["sensor"])["Cmd"] == [
        "$HOME /srv/data ${DATA} $/srv/data $$ $1",
        "A_KEY=$STORAGE_KEY",
        "A_KEY=${STORAGE_KEY}",
    ]
    assert routes(got)["r"]["route"] == "FROM /messages/* WHERE a = '$LEVELdebug' INTO $upstream"


@pytest.mark.parametrize("generation", ["1.0.0", "4.0.0"])
def test_marks_comments_and_last_commas_are_read_over(tmp_path: Path, generation: str) -> None:
    """As the editors write and read templates; what looks like one in a text stays."""
    document = template(generation, tmp_path)
    in_options({"Cmd": ["http://a/*", "b,]", 'c\\",}//'], "Env": []})(document["modulesContent"])
    path = tmp_path / "deployment.template.json"
    path.write_text(json.dumps(document))
    plain = made(path)
    text = (
        json.dumps(document, indent=1).replace('": {\n', '": { // why\n /* because,\n */').replace("]\n", "], // }\n")
    )
    path.write_text("\ufeff" + text, "utf-8")
    assert made(path) == plain


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"modulesContent": {}, "modulesContent": {}}'.encode("utf-16"), "{} is not UTF-8 text: save it as such"),
        (
            b'{"modulesContent": {"a": {}, "b": {"r": 1, "r": 2}}}',
            "{} has r twice in one object: leave one of them out",
        ),
        (b'{"modulesContent": {"a": 1,, "b": 2}}', "{} is not JSON: "),
        (b'{"modulesContent": {"a": __VALUE__}}', "{} is not JSON: "),
        (b'{"modulesContent": {"a": NaN}}', "{} is not JSON: "),
        (b'{"modulesContent": {"a": ' + b"[" * 900 + b"]" * 900 + b"}}", "{} is nested deeper than 100 levels"),
        (b"5", "{} is not an IoT Edge deployment"),
        (b"", "{} is not JSON: "),
    ],
)
def test_what_is_no_json_is_refused_by_its_name(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "deployment.template.json"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        deployment_file.read(path)
    assert str(caught.value).startswith(sentence.replace("{}", str(path)))
