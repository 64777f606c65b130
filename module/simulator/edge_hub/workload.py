"""The IoT Edge workload API: trust bundle and signatures over a unix socket.

It has a thread of its own, because the SDK calls it blocking, in tests from the very thread of the hub's event loop.
Source: iotedge `edgelet/doc`, and `azure.iot.device.iothub.edge_hsm` for what a client asks.
"""

import json
import socket
import socketserver
import threading
from base64 import b64decode
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import quote, urlsplit

from . import sas
from .faults import Faults

GENERATION = "1"
"""The module's generation id, which is part of the path."""

_MAX_REQUEST = 65_536


class WorkloadApi(socketserver.ThreadingUnixStreamServer):
    """Answers ``GET /trust-bundle`` and ``POST /modules/{module}/genid/{generation}/sign`` on a unix socket."""

    daemon_threads = True

    def __init__(self, path: Path, trust_bundle: str, identity: sas.Identity, faults: Faults) -> None:
        self._trust_bundle, self._key, self._faults = trust_bundle, identity.key, faults
        self._sign_path = f"/modules/{quote(identity.module, safe='')}/genid/{GENERATION}/sign"
        super().__init__(str(path), _Exchange)

    def start(self) -> None:
        """Begin to answer."""
        threading.Thread(target=self.serve_forever, args=(0.05,), name="workload-api", daemon=True).start()

    def stop(self) -> None:
        """Stop answering and close the socket; waits for the thread."""
        self.shutdown()
        self.server_close()

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, dict[str, str]]:
        """Give status and document for one request."""
        if self._faults.workload_failures > 0:
            self._faults.workload_failures -= 1
            return 500, {"message": "a fault was switched on"}
        if (method, target) == ("GET", "/trust-bundle"):
            return 200, {"certificate": self._trust_bundle}
        if (method, target) != ("POST", self._sign_path):
            return 404, {"message": f"{method} {target} is not here"}
        try:
            return 200, {"digest": sas.sign(self._key, b64decode(json.loads(body)["data"], validate=True))}
        except (ValueError, KeyError, TypeError) as error:
            return 400, {"message": f"not a signing request: {error}"}


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10
    server: WorkloadApi
    request: socket.socket

    def _reply(self) -> None:
        length = min(int(self.headers.get("Content-Length") or 0), _MAX_REQUEST)
        status, document = self.server.answer(self.command, urlsplit(self.path).path, self.rfile.read(length))
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _reply  # noqa: N815 - the base class looks for these names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing for each request."""
