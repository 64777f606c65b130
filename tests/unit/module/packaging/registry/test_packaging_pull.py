"""Pulling a base image from a real HTTP server: one platform of it, each blob once, nothing damaged taken."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from registry_stub import RegistryStub, digest_of, serving

from module.errors import PackagingError, SettingsError
from module.packaging.registry import pull as pulling
from module.packaging.registry import registry
from module.packaging.registry.credentials import Access
from module.packaging.registry.oci import CONFIG, LAYER, MANIFEST, Layout
from module.packaging.registry.oci_documents import Descriptor
from module.packaging.registry.pull import pull
from module.packaging.registry.reference import parse

_INDEX = "application/vnd.oci.image.index.v1+json"
_LAYER = bytes(range(256)) * 8000


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[RegistryStub]:
    for module in (pulling, registry):
        monkeypatch.setattr(module, "PAUSES_S", (0.01, 0.01, 0.01, 0.01))
    with serving() as made:
        yield made


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def image(stub: RegistryStub, architecture: str, *tags: str) -> str:
    """Let the registry have an image; gives the digest of its manifest."""
    config = stub.blob(json.dumps({"architecture": architecture}).encode(), CONFIG)
    layers = [stub.blob(_LAYER, LAYER), stub.blob(architecture.encode(), LAYER)]
    return stub.manifest({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}, *tags)


def pulled(stub: RegistryStub, layout: Layout, end: str, platform: str = "linux/amd64") -> Descriptor:
    return pull(layout, parse(f"{stub.host}/a{end}"), platform, Access())


def test_an_image_comes_with_all_that_it_names(stub: RegistryStub, layout: Layout) -> None:
    digest = image(stub, "amd64", "1")
    manifest = pulled(stub, layout, ":1")
    assert manifest == Descriptor(MANIFEST, digest, len(stub.manifests["1"][0]))
    assert all(layout.has(blob) for blob in layout.parts(manifest))
    assert len(list(layout.parts(manifest))) == 4


def test_of_an_index_one_platform_is_taken(stub: RegistryStub, layout: Layout) -> None:
    digests = {name: image(stub, name) for name in ("amd64", "arm64")}
    entries = [
        {"mediaType": MANIFEST, "digest": digest, "size": 1, "platform": {"os": "linux", "architecture": name}}
        for name, digest in digests.items()
    ]
    attestation = {"mediaType": MANIFEST, "digest": digest_of(b""), "size": 1}
    stub.manifest({"schemaVersion": 2, "mediaType": _INDEX, "manifests": [*entries, attestation]}, "1")
    assert pulled(stub, layout, ":1", "linux/arm64").digest == digests["arm64"]
    assert not layout.path(digest_of(b"amd64")).exists()
    with pytest.raises(PackagingError, match=r"has no linux/s390x \(it has linux/amd64, linux/arm64\)"):
        pulled(stub, layout, ":1", "linux/s390x")


def test_what_is_here_is_not_asked_for_again(stub: RegistryStub, layout: Layout) -> None:
    """By tag the registry is asked what it means today; by digest nobody is asked, unless a blob is gone."""
    digest = image(stub, "amd64", "1")
    first = pulled(stub, layout, ":1")
    stub.asked.clear()
    assert pulled(stub, layout, ":1") == first
    assert stub.asked == ["GET /v2/a/manifests/1"]
    stub.asked.clear()
    assert pulled(stub, layout, f"@{digest}") == first
    assert stub.asked == []
    layout.path(digest_of(_LAYER)).unlink()
    assert pulled(stub, layout, f"@{digest}") == first
    assert stub.asked == [f"GET /v2/a/manifests/{digest}", f"GET /v2/a/blobs/{digest_of(_LAYER)}"]


def test_a_connection_that_breaks_within_a_blob_is_tried_again_and_a_limit_ends_it(
    stub: RegistryStub, layout: Layout
) -> None:
    image(stub, "amd64", "1")
    stub.cuts = 2
    manifest = pulled(stub, layout, ":1")
    assert all(layout.has(blob) for blob in layout.parts(manifest))
    for blob in list(layout.parts(manifest)):
        layout.path(blob.digest).unlink()
    stub.cuts = 1000
    with pytest.raises(PackagingError, match=rf"{stub.host} cannot be reached \(.*\), 5 times: try again later"):
        pulled(stub, layout, ":1")
    until = time.monotonic() + 20
    while list(layout.folder.rglob(".new-*")):  # the first failure waits for no other blob
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_damaged_blob_is_not_kept(stub: RegistryStub, layout: Layout) -> None:
    image(stub, "amd64", "1")
    stub.blobs[digest_of(_LAYER)] = _LAYER[:-1] + b"x"
    with pytest.raises(PackagingError, match="arrived damaged, try again"):
        pulled(stub, layout, ":1")
    assert not layout.path(digest_of(_LAYER)).exists()


def test_another_manifest_than_the_digest_says_is_refused(stub: RegistryStub, layout: Layout) -> None:
    wanted = digest_of(b"another")
    stub.manifests[wanted] = (b'{"layers": []}', MANIFEST)
    with pytest.raises(PackagingError, match=r"gave another manifest than sha256:.*: do not use this registry"):
        pulled(stub, layout, f"@{wanted}")


def test_what_cannot_be_pulled_is_told(stub: RegistryStub, layout: Layout) -> None:
    with pytest.raises(PackagingError, match=r"does not let us pull a 9: 404 MANIFEST_UNKNOWN: not here"):
        pulled(stub, layout, ":9")
    stub.manifest({"schemaVersion": 1, "mediaType": "application/vnd.docker.distribution.manifest.v1+json"}, "old")
    with pytest.raises(PackagingError, match="a form that no engine writes any more"):
        pulled(stub, layout, ":old")


_GOOD = {"mediaType": "m", "digest": digest_of(b"x"), "size": 1}
_DEEP = b'{"a":' * 100_000


@pytest.mark.parametrize(
    "said",
    [
        {"layers": None},
        {"config": _GOOD, "layers": [{}]},
        {"manifests": None},
        {"manifests": [{"platform": None}]},
        {"manifests": [{**_GOOD, "platform": {"os": "linux"}}]},
        {"config": _GOOD, "layers": [{**_GOOD, "digest": 5}]},
        {"config": _GOOD, "layers": [{**_GOOD, "digest": "sha256:../../../../etc/passwd"}]},
        {"config": {**_GOOD, "size": -1}, "layers": []},
        {"config": {**_GOOD, "size": 1 << 70}, "layers": []},
        [],
        5,
        _DEEP,
        b"{",
        b"\xff",
    ],
)
def test_what_is_no_manifest_is_a_sentence(stub: RegistryStub, layout: Layout, said: object) -> None:
    """A registry's word names files of this machine and lengths: it is read by its form or not at all."""
    stub.manifests["1"] = (said if isinstance(said, bytes) else json.dumps(said).encode(), MANIFEST)
    with pytest.raises(PackagingError, match=r"gives is no image manifest: |a form that no|it has linux/\)"):
        pulled(stub, layout, ":1")
    with pytest.raises(PackagingError, match=r"gives is no image manifest: |none of one platform"):
        pulling.pull_attached(layout, parse(f"{stub.host}/a:1"), Access())


def test_a_blob_is_no_longer_than_its_manifest_says(stub: RegistryStub, layout: Layout) -> None:
    layer = {**stub.blob(_LAYER, LAYER), "size": 1000}
    stub.manifest({"mediaType": MANIFEST, "config": stub.blob(b"{}", CONFIG), "layers": [layer]}, "1")
    with pytest.raises(PackagingError, match="has more than its 1,000 bytes"):
        pulled(stub, layout, ":1")


def test_certificates_that_are_not_there_are_named(layout: Layout) -> None:
    with pytest.raises(SettingsError, match=r"there is no certificate file /gone/ca\.pem"):
        pull(layout, parse("localhost:1/a:1"), "linux/amd64", Access(ca_file="/gone/ca.pem"))
