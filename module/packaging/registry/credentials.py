"""Credentials for a registry: those given, else the environment's, docker's or podman's stored ones, or ``az``'s.

A secret comes by standard input, environment, file or a helper's output, never by an argument, and goes nowhere but
to the registry that it is for.
"""

import base64
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from ...errors import PackagingError

_TOKEN_USERS = {"00000000-0000-0000-0000-000000000000", "<token>"}  # the password is a refresh token then
_DOCKER_HUB_KEY = "https://index.docker.io/v1/"
_TIMEOUT_S = 30


class Credentials(NamedTuple):
    """Credentials for a registry; all empty: it is asked anonymously.

    Attributes:
        username, password: for basic authentication, and to ask for a token.
        refresh_token: docker's "identity token", ACR's refresh token.
        entra_token: of Microsoft Entra, which ACR exchanges for a refresh token.
        source: where they were found, for the sentence of a registry that refuses them.
    """

    username: str = ""
    password: str = ""
    refresh_token: str = ""
    entra_token: str = ""
    source: str = ""

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
    """Read CONTAINER_REGISTRY_SERVER, …_USERNAME and …_PASSWORD or …_ENTRA_TOKEN, of the environment or .env."""
    places: dict[str, Callable[[], Mapping[str, str]]] = {"the environment": lambda: os.environ}
    if Path(".env").is_file():
        places[".env in this folder"] = _env_file
    for where, place in places.items():
        values = place()
        server, username, password, entra_token = (
            values.get(f"CONTAINER_REGISTRY_{name}", "") for name in ("SERVER", "USERNAME", "PASSWORD", "ENTRA_TOKEN")
        )
        if server == host and (password or entra_token):
            return Credentials(username, password, "", entra_token, f"CONTAINER_REGISTRY_… in {where}")
    return None


def _env_file() -> Mapping[str, str]:
    from ..env_file import read_env  # noqa: PLC0415 - its parser takes long to import

    return read_env(Path(".env"))


def _from_stores(host: str) -> Credentials | None:
    key = _DOCKER_HUB_KEY if host == "docker.io" else host
    docker = Path(os.environ.get("DOCKER_CONFIG") or "~/.docker").expanduser() / "config.json"
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid() if hasattr(os, 'getuid') else 0}"
    podman = Path(os.environ.get("REGISTRY_AUTH_FILE") or f"{runtime}/containers/auth.json")
    for file in (docker, podman):
        try:
            store = orjson.loads(file.read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, orjson.JSONDecodeError) as error:
            raise PackagingError(f"cannot read {file}: {error}") from error
        if found := _from_store(store, key, file):
            return found._replace(source=str(file))
    return None


def _from_store(store: dict[str, Any], key: str, file: Path) -> Credentials | None:
    helper = store.get("credHelpers", {}).get(key) or store.get("credsStore")
    said = _output([f"docker-credential-{helper}", "get"], key) if helper else {}
    username, password = said.get("Username", ""), said.get("Secret", "")
    if not password:
        entry = store.get("auths", {}).get(key) or {}
        if token := entry.get("identitytoken"):
            return Credentials(refresh_token=token)
        if not entry.get("auth"):
            return None
        try:
            username, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        except ValueError as error:
            raise PackagingError(f"{file} has unreadable credentials for {key}: docker login {key} again") from error
    if username in _TOKEN_USERS:
        return Credentials(refresh_token=password)
    return Credentials(username, password)


def _from_az(host: str) -> Credentials | None:
    """Ask the Azure CLI, if it is there and somebody has logged in, for a refresh token."""
    if not host.endswith(".azurecr.io"):
        return None
    said = _output(["az", "acr", "login", "--name", host.partition(".")[0], "--expose-token", "-o", "json"], "")
    return Credentials(refresh_token=said["accessToken"], source="az login") if said.get("accessToken") else None


def _output(command: list[str], text: str) -> dict[str, str]:
    """Give the JSON object that a program prints; an empty one if it is not there or says nothing of use."""
    program = shutil.which(command[0])
    try:
        done = subprocess.run(  # noqa: S603
            [program or "", *command[1:]], input=text, capture_output=True, text=True, check=True, timeout=_TIMEOUT_S
        )
        said = orjson.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, orjson.JSONDecodeError):
        return {}
    return said if isinstance(said, dict) else {}
