"""Whose word a registry takes, and to whom it is told: each registry only its own."""

import base64
import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from module.errors import PackagingError, SettingsError
from module.packaging.registry.credentials import Access, Credentials
from module.packaging.registry.registry_auth import Authorization

_HOST = "mine.azurecr.io"
_VARIABLES = ("SERVER", "USERNAME", "PASSWORD", "ENTRA_TOKEN")


@pytest.fixture(autouse=True)
def nothing_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _VARIABLES:
        monkeypatch.delenv(f"CONTAINER_REGISTRY_{name}", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    monkeypatch.setenv("PATH", str(tmp_path))


def stored(tmp_path: Path, store: dict[str, Any], name: str = "config.json") -> None:
    (tmp_path / name).write_text(json.dumps(store))


def program(tmp_path: Path, name: str, said: dict[str, str]) -> None:
    file = tmp_path / name
    file.write_text(f"#!/bin/sh\necho '{json.dumps(said)}'\n")
    file.chmod(0o755)


def test_what_was_given_is_for_its_registry_only() -> None:
    access = Access(Credentials("me", "secret"), _HOST)
    assert access.credentials(_HOST).password == "secret"
    assert access.credentials("other.azurecr.io") == Credentials()


def test_the_environments_are_for_the_registry_that_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTAINER_REGISTRY_SERVER", _HOST)
    monkeypatch.setenv("CONTAINER_REGISTRY_USERNAME", "me")
    monkeypatch.setenv("CONTAINER_REGISTRY_PASSWORD", "secret")
    assert Access().credentials(_HOST) == Credentials("me", "secret", source="CONTAINER_REGISTRY_… in the environment")
    assert Access().credentials("other.azurecr.io") == Credentials()


def test_an_env_file_here_is_for_the_registry_that_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As iotedgedev's push takes it; the environment comes first, and a line that is none is named, not shown."""
    monkeypatch.chdir(tmp_path)
    lines = (
        f"CONTAINER_REGISTRY_SERVER={_HOST}\nCONTAINER_REGISTRY_USERNAME=me\nCONTAINER_REGISTRY_PASSWORD='se cret'\n"
    )
    (tmp_path / ".env").write_text(lines)
    assert Access().credentials(_HOST) == Credentials(
        "me", "se cret", source="CONTAINER_REGISTRY_… in .env in this folder"
    )
    assert Access().credentials("other.azurecr.io") == Credentials()
    for name, value in (("SERVER", _HOST), ("USERNAME", "you"), ("PASSWORD", "other")):
        monkeypatch.setenv(f"CONTAINER_REGISTRY_{name}", value)
    assert Access().credentials(_HOST) == Credentials("you", "other", source="CONTAINER_REGISTRY_… in the environment")
    monkeypatch.delenv("CONTAINER_REGISTRY_SERVER")
    (tmp_path / ".env").write_text("CONTAINER_REGISTRY_PASSWORD hidden\n")
    with pytest.raises(SettingsError, match=r"\.env line 1 is not NAME=value"):
        Access().credentials(_HOST)


@pytest.mark.parametrize("name", ["config.json", "auth.json"])
def test_dockers_and_podmans_stores(tmp_path: Path, name: str) -> None:
    auth = base64.b64encode(b"me:se:cret").decode()
    stored(tmp_path, {"auths": {_HOST: {"auth": auth}, "https://index.docker.io/v1/": {"auth": auth}}}, name)
    source = str(tmp_path / name)
    assert Access().credentials(_HOST) == Credentials("me", "se:cret", source=source)
    assert Access().credentials("docker.io") == Credentials("me", "se:cret", source=source)
    stored(tmp_path, {"auths": {_HOST: {"identitytoken": "r"}}}, name)
    assert Access().credentials(_HOST) == Credentials(refresh_token="r", source=source)


def test_credential_helpers(tmp_path: Path) -> None:
    program(tmp_path, "docker-credential-desk", {"Username": "me", "Secret": "s"})
    program(tmp_path, "docker-credential-acr", {"Username": "00000000-0000-0000-0000-000000000000", "Secret": "r"})
    stored(tmp_path, {"credsStore": "desk", "credHelpers": {_HOST: "acr"}})
    source = str(tmp_path / "config.json")
    assert Access().credentials(_HOST) == Credentials(refresh_token="r", source=source)
    assert Access().credentials("other.io") == Credentials("me", "s", source=source)


def test_az_is_asked_for_azures_registries_only(tmp_path: Path) -> None:
    program(tmp_path, "az", {"accessToken": "r", "loginServer": _HOST})
    assert Access().credentials(_HOST) == Credentials(refresh_token="r", source="az login")
    assert Access().credentials("docker.io") == Credentials()


def test_a_secret_is_not_shown() -> None:
    assert "secret" not in repr(Credentials("me", "secret", "secret", "secret"))


def test_challenges() -> None:
    asked = Mock(side_effect=PackagingError("asked"))
    authorization = Authorization("r.io", ["repository:b:pull"], lambda: Credentials("me", "it"), asked)
    url, before = "https://r.io/v2/b/manifests/1", authorization.login
    bearer = 'Bearer realm="https://r.io/oauth2/token",service="r.io",scope="repository:a:pull"'
    for challenge in (bearer, f'Basic realm="x", {bearer}'):  # the better one of two
        with pytest.raises(PackagingError, match="asked"):
            authorization.answer(challenge, before, url)
    wanted = "https://r.io/oauth2/token?service=r.io&scope=repository%3Ab%3Apull"
    assert asked.call_args.args == ("GET", wanted)
    with pytest.raises(PackagingError, match="a login of a kind that we have not: Negotiate"):
        authorization.answer("Negotiate", before, url)
    authorization.answer('Basic realm="x"', before, url)
    assert authorization.login == (("https", "r.io", 443), "Basic bWU6aXQ=")


@pytest.mark.parametrize(
    ("registry", "realm"),
    [
        ("https://localhost/v2/", "http://localhost:5001/token"),
        ("https://r.io/v2/", "http://127.0.0.1/token"),
        ("http://localhost/v2/", "http://localhost.evil.example/token"),
        ("http://localhost/v2/", "http://127.evil.example/token"),
        ("https://r.io/v2/", "ftp://r.io/token"),
        ("https://r.io/v2/", ""),
    ],
)
def test_a_realm_is_as_safe_as_the_registry(registry: str, realm: str) -> None:
    """Over https, or on this machine for a registry that is in the clear itself; nobody else is sent a password."""
    asked = Mock()
    authorization = Authorization("r", ["repository:b:pull"], lambda: Credentials("me", "it"), asked)
    with pytest.raises(PackagingError, match="not over https"):
        authorization.answer(f'Bearer realm="{realm}",service="r"', authorization.login, registry)
    asked.assert_not_called()
