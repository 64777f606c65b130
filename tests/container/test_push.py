"""What is pushed, and what is not: only what changed, only with leave to, and the tag last."""

import base64
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from parts import PASSWORD, USER, Certificates, Registry, TokenServer, htpasswd
from shell import build, push, scoring_module
from uv import find_uv_bin

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


def test_clean_builds_are_the_same_image_whatever_is_not_in_it(
    registry: Registry, turbofan: Path, base: str, tmp_path: Path
) -> None:
    """From nothing but the lock: another Python, mask, path, base's path, tag, time, zone, locale: one digest."""
    build(turbofan, f"{registry.host}/twice/scoring:1", base, "--layout", tmp_path / "layout0")
    for file in turbofan.iterdir():
        file.touch()
    first = build(turbofan, f"{registry.host}/twice/scoring:1", base, "--layout", tmp_path / "layout1")
    elsewhere, other_base = tmp_path / "else" / "where", tmp_path / "other.tar"
    shutil.copytree(turbofan, elsewhere)
    os.link(base, other_base)
    options = ("--base", other_base, "--layout", tmp_path / "layout2", "--tag", "commit=7", "--description", "second")
    command = [another_python(tmp_path), "build", elsewhere, "--image", f"{registry.host}/other/scoring:2", *options]
    other = {**os.environ, "LC_ALL": "C", "TZ": "Asia/Tokyo", "UV_CACHE_DIR": str(tmp_path / "uv")}
    done = subprocess.run(
        [*map(str, command)], env=other, umask=0o077, cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"other/scoring:2@{first.digest}" in done.stdout


def another_python(folder: Path) -> Path:
    """Give the command in an environment of another Python than this one."""
    uv, this = find_uv_bin(), f"{sys.version_info[0]}.{sys.version_info[1]}"
    installed = Path("~/.pyenv/versions").expanduser().glob("3.1[1-9].*/bin/python")  # where uv does not look
    known = ["3.11", "3.12", "3.13", "3.14", *(str(each) for each in installed)]
    for version in (each for each in known if this not in each):
        made = [uv, "venv", "--quiet", "--python", version, "--no-python-downloads", folder / "venv"]
        if subprocess.run(made, capture_output=True, check=False).returncode == 0:
            root = Path(__file__).parents[2]
            into = ("--python", folder / "venv/bin/python", "--editable", f"{root}[package]")
            subprocess.run([uv, "pip", "install", "--quiet", *into], check=True)
            return folder / "venv/bin/scoring-module"
    return pytest.skip(f"no Python but {this} is here: uv python install 3.12")


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
    assert token_registry.tags(f"{how}/scoring")[0] == "1"
    if how == "entra":
        assert token_server.asked[0] == "POST /oauth2/exchange"


def test_the_sbom_and_the_provenance_are_in_the_registry(
    token_registry: Registry, turbofan: Path, base: str, tmp_path: Path
) -> None:
    """Debian's registry has no list of what is attached: it is kept under a tag. Two tags, one image, one of each."""
    host = token_registry.host
    login = {"CONTAINER_REGISTRY_SERVER": host, "CONTAINER_REGISTRY_USERNAME": USER}
    login |= {"CONTAINER_REGISTRY_PASSWORD": PASSWORD}
    digests = set()
    for tag in ("1", "2"):
        built = build(turbofan, f"{host}/attached/scoring:{tag}", base)
        pushed = scoring_module("push", f"{host}/attached/scoring:{tag}", "--ca-file", token_registry.ca, **login)
        assert pushed.code == 0, pushed.err
        digests.add(built.digest)
    digest = digests.pop()
    assert not digests
    assert token_registry.tags("attached/scoring") == ["1", "2", digest.replace(":", "-")]
    options = ("--json", "--layout", tmp_path / "empty", "--ca-file", token_registry.ca)
    ended = scoring_module("inspect", f"{host}/attached/scoring:1", *options, **login)
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert found["image"] == digest
    (bill,), (statement,) = found["sbom"], found["provenance"]
    assert {"libc6", "numpy", "model.onnx"} <= {each["name"] for each in bill["components"]}
    assert statement["subject"] == [{"name": f"{host}/attached/scoring", "digest": {"sha256": digest[7:]}}]
    assert str(turbofan) not in ended.out


def test_no_secret_is_in_a_layer_a_label_a_log_or_the_process_list(
    turbofan: Path, base: str, tmp_path: Path, certificates: Certificates
) -> None:
    """The password is searched for by content: in all that the registry and the layout keep, unpacked, and said."""
    registry = Registry(tmp_path, htpasswd(tmp_path), certificates=certificates)
    registry.start()
    for name in (".env", "deployment.json", "deployment.previous.json", ".netrc", "client.key"):
        (turbofan / name).write_text(f"PASSWORD={PASSWORD}")
    image, own = f"{registry.host}/secret/scoring:1", tmp_path / "layout"
    refused = scoring_module("build", turbofan, "--image", image, "--base", base, "--layout", own)
    assert (refused.code, "client.key looks like a secret" in refused.err, PASSWORD in refused.err) == (2, True, False)
    (turbofan / ".dockerignore").write_text("*.key\n")
    ca, login = ("--ca-file", registry.ca), {"CONTAINER_REGISTRY_SERVER": registry.host}
    login |= {"CONTAINER_REGISTRY_USERNAME": USER, "CONTAINER_REGISTRY_PASSWORD": PASSWORD}
    with process_list() as seen:
        said = [build(turbofan, image, base, "--layout", own)]
        said.append(scoring_module("push", image, "--layout", own, *ca, **login))
        said.append(scoring_module("inspect", image, "--registry", "--layout", own, *ca, **login))
    registry.stop()
    assert [ended.code for ended in said] == [0, 0, 0], said
    encoded = base64.b64encode(f"{USER}:{PASSWORD}".encode())
    texts = {"commands": repr(said).encode(), "processes": "\n".join(seen).encode(), "log": registry.log().encode()}
    kept = [file for folder in (own, registry.folder) for file in folder.rglob("*") if file.is_file()]
    assert any("scoring-module push" in line for line in seen)
    assert len(kept) > 20
    for name, content in [*texts.items(), *((file, file.read_bytes()) for file in kept)]:
        unpacked = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        assert not [secret for secret in (PASSWORD.encode(), encoded) if secret in unpacked], name


@contextmanager
def process_list() -> Iterator[set[str]]:
    """Give the command lines of every process that was seen within the block."""
    seen: set[str] = set()
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.01):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    seen.add(file.read_text(errors="replace").replace("\0", " "))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()
