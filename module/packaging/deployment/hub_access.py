"""The ``Authorization`` header for IoT Hub: a signature by a connection string's key, or a token of Microsoft Entra."""

import binascii
import hmac
import subprocess
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote

from ...errors import PackagingError, SettingsError

CONNECTION_STRING = "IOTHUB_CONNECTION_STRING"
TOKEN = "IOTHUB_ACCESS_TOKEN"  # noqa: S105 - the variable's name
_AUDIENCE = "https://iothubs.azure.net"
_LIFETIME = 600
_AZ_TIMEOUT = 60


@dataclass(frozen=True, slots=True)
class HubAccess:
    """A hub's host name, and what gives the value of ``Authorization`` for a request now."""

    host: str
    authorization: Callable[[], str]


def access_from(environment: Mapping[str, str], hub: str | None) -> HubAccess:
    """Find out which hub is meant and what its requests are authorized by; no secret is ever an argument of a process.

    Args:
        environment: ``IOTHUB_CONNECTION_STRING``, else ``IOTHUB_ACCESS_TOKEN``, else ``az account get-access-token``.
        hub: name or host name; None: the connection string's.

    Raises:
        SettingsError: no hub is named, or the connection string has another form.
    """
    hub = hub or ""
    named = hub if "." in hub or ":" in hub else f"{hub}.azure-devices.net"
    text = environment.get(CONNECTION_STRING, "")
    if not text:
        if not hub:
            raise SettingsError(f"no IoT Hub is named: set {CONNECTION_STRING}, or give --hub NAME and log in with az")
        token = environment.get(TOKEN, "")
        ask = cache(_ask_az)
        return HubAccess(named, lambda: f"Bearer {token or ask()}")
    parts = dict(part.split("=", 1) for part in text.strip().split(";") if "=" in part)
    host, policy = parts.get("HostName", ""), parts.get("SharedAccessKeyName", "")
    try:
        key = b64decode(parts.get("SharedAccessKey", ""), validate=True)
    except binascii.Error:
        key = b""
    if not (host and policy and key):
        raise SettingsError(
            f"{CONNECTION_STRING} is not HostName=…;SharedAccessKeyName=…;SharedAccessKey=…, with the key in base64"
        )
    if hub and named.lower() != host.lower():
        raise SettingsError(f"--hub {hub} is not the hub of {CONNECTION_STRING}, {host}: leave one of them out")
    return HubAccess(host, lambda: signature(host, policy, key, int(time.time()) + _LIFETIME))


def signature(host: str, policy: str, key: bytes, expiry: int) -> str:
    """Give a shared access signature for all of a hub, until ``expiry`` in seconds since the epoch."""
    resource = quote(host, safe="")
    digest = b64encode(hmac.digest(key, f"{resource}\n{expiry}".encode(), "sha256"))
    return f"SharedAccessSignature sr={resource}&sig={quote(digest, safe='')}&se={expiry}&skn={quote(policy, safe='')}"


def _ask_az() -> str:
    command = ["az", "account", "get-access-token", "--resource", _AUDIENCE, "--query", "accessToken", "-o", "tsv"]
    try:
        # az is looked for on the user's own PATH, as their shell does.
        done = subprocess.run(command, capture_output=True, timeout=_AZ_TIMEOUT, check=True, text=True)  # noqa: S603
    except FileNotFoundError as error:
        raise SettingsError(f"neither {CONNECTION_STRING} nor {TOKEN} is set and az is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise PackagingError(f"az gave no token within {_AZ_TIMEOUT} s: try az login") from error
    except subprocess.CalledProcessError as error:
        raise PackagingError(f"az gave no token: {' '.join(error.stderr.split())[:200]}") from error
    return done.stdout.strip()
