"""A certificate authority and a server certificate, made anew for each start of the simulator."""

import ipaddress
import ssl
from dataclasses import dataclass

import trustme


@dataclass(frozen=True, slots=True)
class Certificates:
    """What the two sides of a TLS connection need.

    Attributes:
        trust_bundle: the authority's certificate as PEM text, for clients.
        server: the context for the listening side; TLS 1.2 or later.
    """

    trust_bundle: str
    server: ssl.SSLContext


def make(address: str) -> Certificates:
    """Make certificates for a server that listens at this address (an IP address or a name), and for localhost."""
    authority = trustme.CA()
    names = [address, "localhost", *(["127.0.0.1"] if _is_unspecified(address) else [])]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert(*names).configure_cert(context)
    return Certificates(authority.cert_pem.bytes().decode(), context)


def _is_unspecified(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_unspecified
    except ValueError:
        return False
