"""A certificate authority and a server certificate, made anew for each start of the simulator."""

import ssl

import trustme


def make(address: str) -> tuple[str, ssl.SSLContext]:
    """Make certificates for a server that listens at this address (an IP address or a name), and for localhost.

    Returns:
        The authority's certificate as PEM text, for clients; the context of the listening side, TLS 1.2 or later.
    """
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert(*{address, "localhost", "127.0.0.1"}).configure_cert(context)
    return authority.cert_pem.bytes().decode(), context
