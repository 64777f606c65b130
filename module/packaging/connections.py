"""Connections to where HTTP goes: kept alive, by the environment's proxy, and which certificates are trusted there."""

import os
import ssl
import sys
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3

from ..errors import SettingsError

BLOCK = 1 << 18
"""Bytes that are read and sent at a time."""


class Pools:
    """Connections by origin, direct or by the proxy that the environment names."""

    def __init__(self, ca_file: str, to_connect: float, between_bytes: float) -> None:
        """Read the certificates; nothing is connected yet.

        Args:
            ca_file: certificates to trust beside the system's; empty: none.
            to_connect: seconds to wait for a connection.
            between_bytes: seconds to wait for more of an answer.

        Raises:
            SettingsError: the file is not there, or holds no certificate.
        """
        self._options: dict[str, Any] = {
            "ssl_context": _trust(ca_file),
            "timeout": urllib3.Timeout(connect=to_connect, read=between_bytes),
            "maxsize": 8,
            "blocksize": BLOCK,  # in place of 16 KB
        }
        self._managers: dict[str, urllib3.PoolManager] = {"": urllib3.PoolManager(**self._options)}

    def of(self, url: str) -> urllib3.PoolManager:
        """Give the connections for an address."""
        proxy = _proxy(url)
        if proxy not in self._managers:
            split = urlsplit(proxy)
            user = f"{unquote(split.username or '')}:{unquote(split.password or '')}" if split.username else None
            headers = urllib3.make_headers(proxy_basic_auth=user)
            self._managers[proxy] = urllib3.ProxyManager(proxy, proxy_headers=headers, **self._options)
        return self._managers[proxy]


def _proxy(url: str) -> str:
    """Give the proxy's address; empty if there is none for this one."""
    if sys.platform == "linux" and not any(name.lower().endswith("_proxy") for name in os.environ):
        return ""
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - most machines need none of it

    split, proxies = urlsplit(url), getproxies()
    proxy = proxies.get(split.scheme) or proxies.get("all", "")
    if not proxy or proxy_bypass(split.netloc) or proxy_bypass(split.hostname or ""):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _trust(ca_file: str) -> ssl.SSLContext:
    """Trust what this machine trusts (SSL_CERT_FILE, SSL_CERT_DIR), what REQUESTS_CA_BUNDLE names, and a file."""
    trusted = ssl.create_default_context()
    known = ssl.get_default_verify_paths()
    if sys.platform != "win32" and not (known.cafile or (known.capath and any(os.scandir(known.capath)))):
        import certifi  # noqa: PLC0415 - for Pythons that know no certificates, such as python.org's on macOS

        trusted.load_verify_locations(certifi.where())
    for file in filter(None, (os.environ.get("REQUESTS_CA_BUNDLE", ""), ca_file)):
        try:
            trusted.load_verify_locations(file)
        except FileNotFoundError as error:
            raise SettingsError(f"there is no certificate file {file}") from error
        except OSError as error:  # of ssl too
            reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
            raise SettingsError(f"cannot use the certificate file {file}: {reason}") from error
    return trusted
