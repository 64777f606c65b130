"""What is pushed, and what is not: only what changed, only with leave to, and the tag last."""

import gzip
import json
import re
import tarfile
from pathlib import Path

import pytest
from parts import PASSWORD, USER, Registry, TokenServer
from shell import build, push, scoring_module

pytestmark = [pytest.mark.container, pytest.mark.timeout(300)]


def test_only_what_changed_is_sent(registry: Registry, turbofan: Path, base: str) -> None:
    """Nothing changed: 0 bytes. score.py changed: 20 kB at most. Another model: little more than the model."""
    image = f"{registry.host}/changes/scoring:1"
    said = build(turbofan, image, base).out
    assert re.search(
        r"^packed 3 files, [0-9,]+ bytes; the largest: model\.onnx \(111,088\), score\.py", said, re.MULTILINE
    )
    assert push(registry, image).sent > 20_000_000
    listed = build(turbofan, image, base, "--list").out
    assert re.findall(r"bytes  (\S+)$", listed, re.MULTILINE) == ["model.onnx", "score.py", "myenv.yml"]
    assert push(registry, image).sent == 0
    with (turbofan / "score.py").open("a") as script:
        script.write("# another\n")
    build(turbofan, image, base)
    assert 0 < push(registry, image).sent <= 20_000
    model = (turbofan / "model.onnx").read_bytes()
    (turbofan / "model.onnx").write_bytes(model + b"\x72\x00")  # an empty field, which ONNX skips
    build(turbofan, image, base)
    assert push(registry, image).sent <= len(model) + 20_000


def test_two_clean_builds_are_the_same_image(registry: Registry, turbofan: Path, base: str, tmp_path: Path) -> None:
    """Built twice from nothing but the lock, files touched in between: one digest."""
    image = f"{registry.host}/twice/scoring:1"
    digests = set()
    for number in range(2):
        for file in turbofan.iterdir():
            file.touch()
        digests.add(build(turbofan, image, base, "--layout", tmp_path / f"layout{number}").digest)
    assert len(digests) == 1


def test_base_layers_are_mounted(
    token_registry: Registry, token_server: TokenServer, turbofan: Path, base: str, tmp_path: Path
) -> None:
    """Base layers come from their repository of the same registry: 0 bytes, with a token for both repositories."""
    host, ca = token_registry.host, ("--ca-file", str(token_registry.ca))
    login = {
        "CONTAINER_REGISTRY_SERVER": host,
        "CONTAINER_REGISTRY_USERNAME": USER,
        "CONTAINER_REGISTRY_PASSWORD": PASSWORD,
    }
    build(turbofan, f"{host}/bases/python:1", base)  # any image will do as a base
    pushed = scoring_module("push", f"{host}/bases/python:1", *ca, **login)
    assert pushed.code == 0, pushed.err
    (turbofan / "requirements.lock").unlink()
    options = ("--base", f"{host}/bases/python:1", "--layout", tmp_path / "layout", *ca, "--push")
    ended = scoring_module("build", turbofan, "--image", f"{host}/scoring:1", *options, **login)
    assert ended.code == 0, ended.err
    assert "mounted" in ended.out
    assert ended.sent < 45_000_000, "the base's layers are another 100 MB"
    assert any("repository:scoring:pull,push repository:bases/python:pull" in asked for asked in token_server.asked)
    assert f"base: {host}/bases/python:1@sha256:" in (turbofan / "requirements.lock").read_text()


@pytest.mark.parametrize("how", ["password", "refresh", "entra", "helper"])
def test_acr_takes_every_kind_of_credentials(
    token_registry: Registry, token_server: TokenServer, turbofan: Path, base: str, *, how: str, tmp_path: Path
) -> None:
    """A password, docker's stored refresh token, an Entra token exchanged for one, a docker credential helper."""
    host = token_registry.host
    image = f"{host}/{how}/scoring:1"
    build(turbofan, image, base)
    variables = {"CONTAINER_REGISTRY_SERVER": host, "DOCKER_CONFIG": str(tmp_path)}
    if how == "password":
        variables |= {"CONTAINER_REGISTRY_USERNAME": USER, "CONTAINER_REGISTRY_PASSWORD": PASSWORD}
    elif how == "entra":
        variables["CONTAINER_REGISTRY_ENTRA_TOKEN"] = token_server.entra
    elif how == "refresh":
        stored = {"auths": {host: {"identitytoken": token_server.refresh}}}
        (tmp_path / "config.json").write_text(json.dumps(stored))
    else:
        helper = tmp_path / "docker-credential-acr-test"
        helper.write_text(f"""#!/bin/sh\necho '{{"Username": "<token>", "Secret": "{token_server.refresh}"}}'\n""")
        helper.chmod(0o755)
        (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {host: "acr-test"}}))
        variables["PATH"] = f"{tmp_path}:/usr/bin:/bin"
    ended = scoring_module("push", image, "--ca-file", token_registry.ca, **variables)
    assert ended.code == 0, ended.err
    assert token_registry.tags(f"{how}/scoring") == ["1"]
    if how == "entra":
        assert token_server.asked[0] == "POST /oauth2/exchange"


def test_no_secret_is_in_a_layer_a_label_or_a_log(registry: Registry, turbofan: Path, base: str, layout: Path) -> None:
    """.env, a deployment and keys stay out of the image; the password is in nothing that was printed."""
    (turbofan / ".env").write_text(f"PASSWORD={PASSWORD}")
    (turbofan / "deployment.json").write_text(json.dumps({"registryCredentials": {"r": {"password": PASSWORD}}}))
    (turbofan / "client.key").write_text(PASSWORD)
    image = f"{registry.host}/secret/scoring:1"
    refused = scoring_module("build", turbofan, "--image", image, "--base", base)
    assert (refused.code, "client.key looks like a secret" in refused.err, PASSWORD in refused.err) == (2, True, False)
    (turbofan / ".dockerignore").write_text("*.key\n")
    built = build(turbofan, image, base)
    pushed = push(registry, image)
    assert PASSWORD not in built.out + built.err + pushed.out + pushed.err + registry.log()
    manifest = json.loads((layout / "blobs/sha256" / built.digest[7:]).read_bytes())
    assert PASSWORD.encode() not in (layout / "blobs/sha256" / manifest["config"]["digest"][7:]).read_bytes()
    for layer in manifest["layers"][1:]:  # the first is the base's
        blob = layout / "blobs/sha256" / layer["digest"][7:]
        assert PASSWORD.encode() not in gzip.decompress(blob.read_bytes())
        with tarfile.open(blob) as archive:
            assert not {name for name in archive.getnames() if name.endswith((".env", ".key", "deployment.json"))}
