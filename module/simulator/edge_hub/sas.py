"""Who may connect: one module of one device, which proves by a shared access signature that it holds its key.

Sources: edgeHub `MqttUsernameParser.cs`, `SharedAccessSignature.cs`.
"""

import hmac
from base64 import b64encode
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

from ...errors import ModuleError
from .packets import Connect

_PREFIX = "SharedAccessSignature "


class TokenError(ModuleError):
    """A token does not open this hub."""


def sign(key: bytes, data: bytes) -> str:
    """Give the base64 HMAC-SHA256 of ``data``, as the workload API does."""
    return b64encode(hmac.digest(key, data, "sha256")).decode()


def check(token: str, key: bytes, resource: str, now: float) -> float:
    """Check a token and give the time when it expires, in seconds since the epoch.

    Args:
        token: ``SharedAccessSignature sr=…&sig=…&se=…``.
        key: the module's key.
        resource: what the token must open, ``{host}/devices/{device}/modules/{module}``.
        now: seconds since the epoch.

    Raises:
        TokenError: no token, another resource, a wrong signature, or expired.
    """
    if not token.startswith(_PREFIX):
        raise TokenError("the password is not a shared access signature")
    fields = dict(field.split("=", 1) for field in token.removeprefix(_PREFIX).split("&") if "=" in field)
    uri, signature, expiry = (fields.get(name, "") for name in ("sr", "sig", "se"))
    if unquote(uri).lower() != resource.lower():
        raise TokenError(f"the token is for {unquote(uri)!r}, not for {resource!r}")
    if not hmac.compare_digest(sign(key, f"{uri}\n{expiry}".encode()).encode(), unquote(signature).encode()):
        raise TokenError("the token's signature is wrong")
    if not expiry.isdigit() or float(expiry) <= now:
        raise TokenError(f"the token has expired: {expiry}")
    return float(expiry)


@dataclass(frozen=True, slots=True)
class Identity:
    """A module's identity: host name of the IoT hub, device id, module id, symmetric key."""

    iothub: str
    device: str
    module: str
    key: bytes

    @property
    def topics(self) -> str:
        """The beginning of its own topics."""
        return f"devices/{self.device}/modules/{self.module}"

    def token_expiry(self, packet: Connect, now: float) -> float:
        """Give when the token of this CONNECT expires, in seconds since the epoch.

        Raises:
            TokenError: it is another identity, or the token does not open the hub.
        """
        client_id = f"{self.device}/{self.module}"
        *names, query = packet.user_name.split("/")[1:] or [""]
        if packet.client_id != client_id or names != [self.device, self.module]:
            raise TokenError(f"{packet.client_id!r} as {packet.user_name!r} is not {client_id}")
        if not parse_qs(query.removeprefix("?")).get("api-version"):
            raise TokenError(f"the user name {packet.user_name!r} has no api-version")
        return check(packet.password, self.key, f"{self.iothub}/{self.topics}", now)
