"""Shared access signatures: how a module proves that it holds its key (edgeHub `SharedAccessSignature.cs`)."""

import hmac
from base64 import b64encode
from urllib.parse import unquote

from ...errors import ModuleError

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
