"""Whose word a registry takes: what was given, the environment, docker's or podman's credential store, ``az``.

A secret comes by standard input, environment, file or a helper's output, never by an argument, and goes nowhere but
to the registry that it is for.
"""

import base64
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from ...errors import PackagingError

_NULL_USER = "00000000-0000-0000-0000-000000000000"  # Azure's and docker's sign that the password is a refresh token
_DOCKER_HUB_KEY = "https://index.docker.io/v1/"
_TIMEOUT_S = 30


class Credentials(NamedTuple):
    """What proves who we are; all empty: nobody.

    Attributes:
        username, password: for basic authentication, and to ask for a token.
        refresh_token: docker's "identity token", ACR's refresh token.
        entra_token: of Microsoft Entra, which ACR exchanges for a refresh token.
    """

    username: str = ""
    password: str = ""
    refresh_token: str = ""
    entra_token: str = ""

    def __repr__(self) -> str:
        return f"Credentials({self.username!r}, …)"


class Access(NamedTuple):
    """How to get at registries.

    Attributes:
        given: credentials for ``host``, from the command line.
        host: the registry that they are for.
        ca_file: certificates to trust beside the system's.
    """

    given: Credentials = Credentials()
    host: str = ""
    ca_file: str = ""

    def credentials(self, host: str) -> Credentials:
        """Give the credentials for a registry, the first that are known."""
        if self.host == host and any(self.given):
            return self.given
        return _from_environment(host) or _from_stores(host) or _from_az(host) or Credentials()


def _from_environment(host: str) -> Credentials | None:
    """Read CONTAINER_REGISTRY_SERVER, …_USERNAME and …_PASSWORD or …_ENTRA_TOKEN, as the template's .env has them."""
    value = {
        name: os.environ.get(f"CONTAINER_REGISTRY_{name}", "")
        for name in ("SERVER", "USERNAME", "PASSWORD", "ENTRA_TOKEN")
    }
    if value["SERVER"] != host or not (value["PASSWORD"] or value["ENTRA_TOKEN"]):
        return None
    return Credentials(value["USERNAME"], value["PASSWORD"], entra_token=value["ENTRA_TOKEN"])


def _from_stores(host: str) -> Credentials | None:
    key = _DOCKER_HUB_KEY if host == "docker.io" else host
    for file in _store_files():
        try:
            store = orjson.loads(file.read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, orjson.JSONDecodeError) as error:
            raise PackagingError(f"cannot read {file}: {error}") from error
        if found := _from_store(store, key, file):
            return found
    return None


def _store_files() -> list[Path]:
    """Give docker's config.json and podman's auth.json, where their own variables say that they are."""
    docker = Path(os.environ.get("DOCKER_CONFIG") or "~/.docker").expanduser() / "config.json"
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid() if hasattr(os, 'getuid') else 0}"
    podman = os.environ.get("REGISTRY_AUTH_FILE") or f"{runtime}/containers/auth.json"
    return [docker, Path(podman)]


def _from_store(store: dict[str, Any], key: str, file: Path) -> Credentials | None:
    helper = store.get("credHelpers", {}).get(key) or store.get("credsStore")
    if helper and (found := _from_helper(str(helper), key)):
        return found
    entry = store.get("auths", {}).get(key) or {}
    if token := entry.get("identitytoken"):
        return Credentials(refresh_token=token)
    if not entry.get("auth"):
        return None
    try:
        username, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
    except ValueError as error:
        raise PackagingError(f"{file} has unreadable credentials for {key}: docker login {key} again") from error
    return _password(username, password)


def _from_helper(helper: str, key: str) -> Credentials | None:
    program = shutil.which(f"docker-credential-{helper}")
    said = _output([program, "get"], key) if program else None
    if not said or not said.get("Secret"):
        return None
    if said.get("Username") == "<token>":
        return Credentials(refresh_token=said["Secret"])
    return _password(said.get("Username", ""), said["Secret"])


def _from_az(host: str) -> Credentials | None:
    """Ask the Azure CLI, if it is there and somebody has logged in, for a refresh token."""
    program = shutil.which("az") if host.endswith(".azurecr.io") else None
    if program is None:
        return None
    said = _output([program, "acr", "login", "--name", host.partition(".")[0], "--expose-token", "-o", "json"], "")
    return Credentials(refresh_token=said["accessToken"]) if said and said.get("accessToken") else None


def _output(command: list[str], text: str) -> dict[str, str] | None:
    try:
        done = subprocess.run(  # noqa: S603
            command, input=text, capture_output=True, text=True, check=True, timeout=_TIMEOUT_S
        )
        said = orjson.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, orjson.JSONDecodeError):
        return None
    return said if isinstance(said, dict) else None


def _password(username: str, password: str) -> Credentials:
    if username == _NULL_USER:
        return Credentials(refresh_token=password)
    return Credentials(username, password)
