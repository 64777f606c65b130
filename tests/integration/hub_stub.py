"""IoT Hub's REST API on loopback: TLS, shared access signatures checked with the key, configurations, twins, faults."""

import hmac
import json
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import http_stub
from http_stub import Answer, Asked

KEY = b64encode(b"the key of this hub's policy").decode()
POLICY = "iothubowner"
TOKEN = "a token of Entra ID"
SECRET = "the registry's pa$sword"


@dataclass(frozen=True)
class Fault:
    """What goes wrong with the next request.

    Attributes:
        status: answer this; 0: hang up instead of answering.
        after: the request has had its effect before that.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "ErrorCode:ForThisTest;told to"
    after: bool = False


@dataclass
class HubStub:
    """What the hub has, and what it was asked."""

    host: str = ""
    configurations: dict[str, dict[str, Any]] = field(default_factory=dict)
    twins: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    failing: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    if_match: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)

    def connection_string(self, key: str = KEY) -> str:
        return f"HostName={self.host};SharedAccessKeyName={POLICY};SharedAccessKey={key}"

    def add_device(self, name: str, *modules: str, **desired: Any) -> None:
        for module in ("$edgeAgent", "$edgeHub", *modules):
            self.twins[name, module] = {"desired": {"$version": 1, "$metadata": {}, **desired.get(module, {})}}

    def report(self, device: str, module: str, **reported: Any) -> None:
        self.twins[device, module]["reported"] = reported

    def reject(self, authorization: str) -> str:
        """Say why these credentials do not open the hub, empty if they do."""
        if authorization == f"Bearer {TOKEN}":
            return ""
        fields = {name: values[0] for name, values in parse_qs(authorization.partition(" ")[2]).items()}
        raw = dict(part.split("=", 1) for part in authorization.partition(" ")[2].split("&") if "=" in part)
        if fields.get("sr") != self.host or fields.get("skn") != POLICY:
            return "another resource or policy"
        signed = f"{raw['sr']}\n{raw['se']}".encode()
        expected = b64encode(hmac.digest(b64decode(KEY), signed, "sha256")).decode()
        if not hmac.compare_digest(expected, unquote(raw["sig"])):
            return "the signature is wrong"
        return "" if time.time() < int(raw["se"]) < time.time() + 3600 else "expired, or valid for too long"

    def serve(self, asked: Asked) -> Answer | None:
        """Answer one request, or fail it as the test wants."""
        body = json.loads(asked.body) if asked.body else None
        etag = asked.headers.get("If-Match", "")
        self.asked.append((asked.method, asked.target.partition("?")[0]))
        self.bodies.append(body)
        self.if_match += [etag] if etag else []
        fault = self.faults.pop(0) if self.faults else None
        rejected = self.reject(asked.headers.get("Authorization", ""))
        status, document = 401, _error(rejected)
        if fault and not fault.after:
            status, document = fault.status, {"Message": fault.message}
        elif not rejected and asked.query == {"api-version": ["2021-04-12"]}:
            status, document = self.answer(asked.method, asked.path.strip("/").split("/"), body, etag)
        if fault and fault.status == 0:
            return None
        return Answer(status, document, fault.headers if fault else {})

    def answer(self, method: str, path: list[str], body: Any, etag: str) -> tuple[int, Any]:  # noqa: PLR0911 - one a route
        """Do what the request says and give status and document."""
        match method, path:
            case "GET", ["configurations"]:
                return 200, list(self.configurations.values())
            case _, ["configurations", name]:
                return self._configuration(method, name, body, etag)
            case "GET", ["devices", device, "modules"]:
                modules = [module for name, module in self.twins if name == device]
                return (200, [{"moduleId": module} for module in modules]) if modules else (404, _error("no device"))
            case "GET", ["twins", device, "modules", module]:
                twin = self.twins.get((device, module))
                return (200, {"properties": twin}) if twin else (404, _error("no module"))
            case "POST", ["devices", "query"]:
                return 200, [{"deviceId": name} for name in self.failing]
            case "POST", ["devices", device, "applyConfigurationContent"]:
                self._apply(device, body["modulesContent"])
                return 204, None
        return 404, _error("no such place")

    def _configuration(self, method: str, name: str, body: Any, etag: str) -> tuple[int, Any]:
        there = self.configurations.get(name)
        if method != "PUT" and there is None:
            return 404, _error("no configuration")
        if method == "GET":
            return 200, there
        if there is not None and etag != f'"{there["etag"]}"':
            return (412, _error("etag")) if etag else (409, _error("it exists"))
        if method == "DELETE":
            del self.configurations[name]
            return 204, None
        self.configurations[name] = {**body, "etag": f"e{len(self.asked)}", "createdTimeUtc": str(len(self.asked))}
        return 200, self.configurations[name]

    def _apply(self, device: str, content: dict[str, Any]) -> None:
        for module, twin in content.items():
            before = self.twins.get((device, module), {"desired": {"$version": 0}})
            desired = {**twin["properties.desired"], "$version": before["desired"]["$version"] + 1, "$metadata": {}}
            self.twins[device, module] = {**before, "desired": desired}


def _error(message: str) -> dict[str, str]:
    return {"Message": f"ErrorCode:ForThisTest;{message}", "ExceptionMessage": "Tracking ID:0"}


@contextmanager
def serving(folder: Path) -> Iterator[HubStub]:
    """Serve on a free loopback port; the authority's certificate is ``folder/ca.pem``."""
    hub = HubStub()
    with http_stub.serving(hub.serve, http_stub.tls(folder / "ca.pem", "localhost")) as port:
        hub.host = f"localhost:{port}"
        yield hub
