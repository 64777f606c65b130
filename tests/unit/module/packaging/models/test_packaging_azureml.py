"""The four methods on an Azure ML workspace: its own client against a stub of its REST API and of its blob storage."""

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from http_stub import Answer, Asked, serving, tls

from module.errors import PackagingError
from module.packaging.models.azureml import WorkspaceModels
from module.packaging.models.model import Model

pytest.importorskip("azure.ai.ml", reason="needs the extra [azureml]: pip install azure-ai-ml azure-identity")

_WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
_CREATED = {"createdAt": "2026-11-20T12:00:00+00:00"}


class Workspace:
    """A workspace's models and datastore, and the account of blobs behind it.

    Attributes:
        models: name → version → the resource as it was put.
        blobs: path → content.
        asked: method and path of every request.
    """

    def __init__(self) -> None:
        self.models: dict[str, dict[str, Any]] = {}
        self.blobs: dict[str, bytes] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []

    def answer(self, asked: Asked) -> Answer:
        """Answer one request, to whichever of the two hosts it went."""
        self.asked.append(f"{asked.method} {asked.target}")
        if asked.headers["Host"].startswith("acct.blob."):
            return self.storage(asked)
        return Answer(*self.management(asked.method, asked.path, asked.body), {"Content-Type": "application/json"})

    def management(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Answer a request to Azure's resource manager."""
        rest = path.removeprefix(_WORKSPACE)
        if rest.startswith("/datastores"):
            return self._datastore(rest)
        if match := re.fullmatch(r"/models/([^/]+)/versions/([^/]+)", rest):
            return self._version(method, match[1], match[2], body)
        if match := re.fullmatch(r"/models/([^/]+)/versions", rest):
            return 200, {"value": list(self.models.get(match[1], {}).values())}
        if match := re.fullmatch(r"/models/([^/]+)", rest):
            return (200, self._container(match[1])) if match[1] in self.models else _missing("model")
        if rest == "/models":
            return 200, {"value": [self._container(name) for name in self.models]}
        return _missing(path)

    def storage(self, asked: Asked) -> Answer:
        """Answer a request to the blob storage; the container is ``/blobs``."""
        name = asked.path.removeprefix("/blobs").lstrip("/")
        if asked.method == "PUT" and asked.query.get("comp") == ["metadata"]:
            self.metadata[name] = {key: value for key, value in asked.headers.items() if key.startswith("x-ms-meta-")}
            return Answer(200)
        if asked.method == "PUT":
            self.blobs[name] = asked.body
            return Answer(201)
        if asked.query.get("comp") == ["list"]:
            prefix = asked.query.get("prefix", [""])[0]
            listing = _listing({each: len(body) for each, body in self.blobs.items() if each.startswith(prefix)})
            return Answer(200, listing.encode(), {"Content-Type": "application/xml"})
        if name not in self.blobs:
            return Answer(404, headers={"x-ms-error-code": "BlobNotFound"})
        content = self.blobs[name]
        headers = {"x-ms-blob-type": "BlockBlob", "ETag": '"1"', "Last-Modified": "Fri, 20 Nov 2026 12:00:00 GMT"}
        headers |= self.metadata.get(name, {}) | {"Content-Range": f"bytes 0-{len(content) - 1}/{len(content)}"}
        return Answer(206 if asked.method == "GET" else 200, content, headers)

    def _datastore(self, rest: str) -> tuple[int, Any]:
        if rest.endswith("listSecrets"):
            return 200, {"secretsType": "Sas", "sasToken": "sv=2020&sig=x"}
        properties = {
            "datastoreType": "AzureBlob",
            "accountName": "acct",
            "containerName": "blobs",
            "isDefault": True,
            "credentials": {"credentialsType": "Sas"},
            "endpoint": "x",
            "protocol": "https",
        }
        return 200, {"id": f"{_WORKSPACE}/datastores/d", "name": "workspaceblobstore", "properties": properties}

    def _version(self, method: str, name: str, version: str, body: bytes) -> tuple[int, Any]:
        if method == "PUT":
            resource = {"id": f"{_WORKSPACE}/models/{name}/versions/{version}", "name": version, "systemData": _CREATED}
            put = json.loads(body)
            put["properties"].setdefault("flavors", {})  # as Azure gives them back
            self.models.setdefault(name, {})[version] = resource | put
            return 201, self.models[name][version]
        found = self.models.get(name, {}).get(version)
        return (200, found) if found else _missing(f"Model {name} version {version}")

    def _container(self, name: str) -> dict[str, Any]:
        newest = str(max(map(int, self.models[name])))
        properties = {"latestVersion": newest, "nextVersion": str(int(newest) + 1), "tags": {}, "properties": {}}
        return {"id": f"{_WORKSPACE}/models/{name}", "name": name, "properties": properties, "systemData": _CREATED}


def _listing(blobs: dict[str, int]) -> str:
    """Give what the blob storage answers to ``comp=list``: names and sizes."""
    entries = "".join(
        f"<Blob><Name>{name}</Name><Properties><Content-Length>{size}</Content-Length>"
        "<BlobType>BlockBlob</BlobType></Properties></Blob>"
        for name, size in blobs.items()
    )
    listing = f'<EnumerationResults ContainerName="blobs"><Blobs>{entries}</Blobs><NextMarker/></EnumerationResults>'
    return f'<?xml version="1.0"?>{listing}'


def _missing(what: str) -> tuple[int, Any]:
    return 404, {"error": {"code": "NotFound", "message": f"{what} was not found"}}


class Credential:
    """Gives a token that the stub does not look at."""

    def get_token(self, *_: str, **__: Any) -> Any:
        from azure.core.credentials import AccessToken

        return AccessToken("t", int(time.time()) + 3600)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Workspace, WorkspaceModels]]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    context = tls(tmp_path / "ca.pem", "localhost", "acct.blob.localhost")
    stub = Workspace()
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **more: resolve("127.0.0.1" if str(host).endswith("localhost") else host, *rest, **more),
    )
    with serving(stub.answer, context) as port:
        yield stub, WorkspaceModels(_client(tmp_path, port))


def _client(folder: Path, port: int) -> Any:
    """Give Azure ML's own client of the stub, as if it were a cloud."""
    from azure.ai.ml import MLClient

    metadata = dict.fromkeys(
        ("azure_portal", "active_directory", "aml_resource_id", "registry_discovery_endpoint"),
        f"https://localhost:{port}/",
    )
    metadata |= {"resource_manager": f"https://localhost:{port}/", "storage_endpoint": f"localhost:{port}"}
    (folder / "config.json").write_text(
        json.dumps({"subscription_id": "s", "resource_group": "g", "workspace_name": "w"})
    )
    return MLClient.from_config(
        Credential(),
        path=str(folder / "config.json"),
        cloud=f"stub-{port}",
        cloud_metadata=metadata,
        enable_telemetry=False,
    )


def test_register_list_show_download(workspace: tuple[Workspace, WorkspaceModels], tmp_path: Path) -> None:
    """What went in comes out, version by version; a model changed in the storage is refused."""
    stub, models = workspace
    file = tmp_path / "model.onnx"
    for number in (1, 2):
        file.write_bytes(b"model %d" % number)
        made = models.register("rul", file, {"data": "FD001"}, "a note")
        assert (str(made), made.tags, made.description) == (f"rul:{number}", {"data": "FD001"}, "a note")
    assert [str(model) for model in models.registered()] == ["rul:1", "rul:2"]
    first: Model = models.show("rul:1")
    assert models.show(f"rul@sha256:{first.sha256}") == first
    assert models.show("rul").version == 2
    got = models.download("rul:1", tmp_path / "got")
    assert (got.name, got.read_bytes()) == ("model.onnx", b"model 1")
    with pytest.raises(PackagingError, match=r"cannot show rul:7: .*was not found"):
        models.show("rul:7")
    for name in stub.blobs:
        stub.blobs[name] = b"changed"
    with pytest.raises(PackagingError, match="is not what was registered"):
        models.download("rul:2", tmp_path / "again")
