"""Ports and loopback addresses that belong to one test, however many test processes run on this machine."""

import ipaddress
import itertools
import os
import socket

_EDGE_HUB = 8883
_FIRST = int(ipaddress.ip_address("127.1.0.0"))

_held: list[socket.socket] = []
_candidates = itertools.count(os.getpid() * 61 % 24_000 * 256)


def free_port() -> int:
    """Give a port of 127.0.0.1 that nobody else is given until this process ends."""
    return _claim("127.0.0.1", 0)


def free_address() -> str:
    """Give a loopback address whose port 8883 nobody else is given until this process ends."""
    for number in _candidates:
        address = str(ipaddress.ip_address(_FIRST + number))
        try:
            _claim(address, _EDGE_HUB)
        except OSError:
            continue
        return address
    raise AssertionError("unreachable: itertools.count() has no end")


def _claim(address: str, port: int) -> int:
    """Bind a socket that never listens: the kernel gives its port to nobody.

    A server that sets SO_REUSEADDR, as asyncio, http.server, mosquitto and Go do, can still listen there: it needs this
    option on both sockets. It is set after the bind, which is therefore refused where another process has claimed.
    """
    held = socket.socket()
    try:
        held.bind((address, port))
    except OSError:
        held.close()
        raise
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _held.append(held)
    return int(held.getsockname()[1])
