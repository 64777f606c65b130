"""What is attached to an image: pushed to registries with and without a list of their own, found again, checked."""

import hashlib
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from http_stub import Answer, Asked, serving

from module.errors import ModuleError, PackagingError
from module.packaging.image.documents import PROVENANCE, SBOM
from module.packaging.image.inspection import Inspected, inspect, lines
from module.packaging.registry import reference
from module.packaging.registry.attached import attach
from module.packaging.registry.credentials import Access
from module.packaging.registry.oci import CONFIG, LAYER, Layout
from module.packaging.registry.oci_documents import INDEX, Descriptor
from module.packaging.registry.push import Pushed, push


class Stub:
    """A registry in memory.

    Attributes:
        lists: whether it has a referrers API.
        refuses: whether it takes nothing but images.
        manifests, blobs: what it has; manifests by tag as well.
    """

    def __init__(self) -> None:
        self.lists = self.refuses = False
        self.manifests: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}

    def answer(self, asked: Asked) -> Answer:
        name = asked.path.rpartition("/")[2]
        if "/referrers/" in asked.path:
            return self._listed(name) if self.lists else Answer(404, b"404 page not found\n")
        if asked.method == "POST":
            return Answer(202, headers={"Location": "/v2/a/blobs/uploads/1"})
        kept = self.manifests if "/manifests/" in asked.path else self.blobs
        if asked.method == "PUT":
            return self._take(asked, name, kept)
        there = {"Docker-Content-Digest": _digest(kept[name])} if name in kept else {}
        return Answer(200, kept[name], there) if there else Answer(404)

    def _take(self, asked: Asked, name: str, kept: dict[str, bytes]) -> Answer:
        digest = _digest(asked.body)
        headers = {"Docker-Content-Digest": digest}
        kept[digest] = asked.body
        if kept is self.manifests:
            subject = json.loads(asked.body).get("subject")
            if subject and self.refuses:
                return Answer(400, {"errors": [{"code": "MANIFEST_INVALID", "message": "no such thing here"}]})
            kept[name] = asked.body
            headers |= {"OCI-Subject": subject["digest"]} if subject and self.lists else {}
        return Answer(201, headers=headers)

    def _listed(self, subject: str) -> Answer:
        found = {_digest(each): json.loads(each) for name, each in self.manifests.items() if name.startswith("sha256:")}
        listed = [
            {"mediaType": each["mediaType"], "digest": digest, "size": 1, "artifactType": each["artifactType"]}
            for digest, each in found.items()
            if each.get("subject", {}).get("digest") == subject
        ]
        return Answer(200, {"schemaVersion": 2, "mediaType": INDEX, "manifests": listed})


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
def stub() -> Stub:
    return Stub()


@pytest.fixture
def host(stub: Stub) -> Iterator[str]:
    with serving(stub.answer) as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def _build(layout: Layout, name: str, what: str = "x", subject: str = "") -> Descriptor:
    """Put an image with both documents into the layout."""
    config = layout.put_json({"config": {"Labels": {"what": what}}}, CONFIG)
    image = layout.put_manifest(config, [layout.put(what.encode(), LAYER)])
    bill = {"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [{"type": "library", "name": "a\x1b[31m"}]}
    digest = (subject or image.digest).removeprefix("sha256:")
    predicate = {"buildDefinition": {"externalParameters": {"platform": "p"}, "resolvedDependencies": []}}
    statement = {"subject": [{"digest": {"sha256": digest}}], "predicateType": "slsa", "predicate": predicate}
    documents = (layout.put_json(bill, SBOM), layout.put_json(statement, PROVENANCE))
    layout.tag(name, image, [attach(layout, image, each) for each in documents])
    return image


def _push(layout: Layout, name: str) -> Pushed:
    return push(layout, reference.parse(name), Access())


def _inspect(layout: Layout, image: str, **more: Any) -> Inspected:
    return inspect(layout, image, lambda _: Access(), **more)


@pytest.mark.parametrize("lists", [True, False])
def test_it_is_pushed_once_and_found_in_the_registry(
    stub: Stub, host: str, layout: Layout, tmp_path: Path, *, lists: bool
) -> None:
    """A registry with a referrers API lists it itself; any other gets the list under a tag, beside what was in it."""
    stub.lists = lists
    image = _build(layout, f"{host}/a:1")
    tag = image.digest.replace(":", "-")
    foreign = {"mediaType": "x", "digest": _digest(b"{}"), "size": 2, "platform": {"os": "any"}}
    if not lists:
        stub.manifests[tag] = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [foreign]}).encode()
    assert _push(layout, f"{host}/a:1").sent > 0
    assert (tag in stub.manifests) is not lists
    if not lists:
        listed = json.loads(stub.manifests[tag])["manifests"]
        assert [each.get("artifactType") for each in listed] == [None, SBOM, PROVENANCE]
        assert listed[0] == foreign
        stub.manifests[tag] = json.dumps({"manifests": listed[1:]}).encode()
    before = dict(stub.manifests)
    assert _push(layout, f"{host}/a:1").sent == 0
    assert stub.manifests == before
    found = _inspect(Layout(tmp_path / "empty"), f"{host}/a:1")
    assert found == _inspect(layout, f"{host}/a:1")._replace(where=f"in the registry {host}")
    assert (len(found.sbom), len(found.provenance), found.labels) == (1, 1, {"what": "x"})


def test_what_is_missing_beside_an_image_that_is_there_is_pushed(stub: Stub, host: str, layout: Layout) -> None:
    """As after a push that was interrupted, or one by an older version."""
    image = _build(layout, f"{host}/a:1")
    _push(layout, f"{host}/a:1")
    del stub.manifests[image.digest.replace(":", "-")]
    _push(layout, f"{host}/a:1")
    assert len(_inspect(layout, f"{host}/a:1", ask_registry=True).sbom) == 1


def test_a_registry_that_takes_images_only_is_named_and_the_image_is_pushed(
    stub: Stub, host: str, layout: Layout
) -> None:
    stub.refuses = True
    image = _build(layout, f"{host}/a:1")
    pushed = _push(layout, f"{host}/a:1")
    assert pushed.digest == image.digest
    assert "SBOM and provenance are not" in pushed.note
    assert "no such thing here" in pushed.note
    found = _inspect(layout, f"{host}/a:1", ask_registry=True)
    assert (found.sbom, found.provenance) == ([], [])


def test_a_layout_and_a_tar_of_it_say_the_same(layout: Layout, tmp_path: Path) -> None:
    image = _build(layout, "r.io/a:1")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(layout.folder, ".")
    expected = _inspect(layout, "r.io/a:1")
    assert expected.image == image.digest
    for name in (f"oci:{layout.folder}", f"oci:{layout.folder}:r.io/a:1", str(layout.folder), f"{tmp_path}/a.tar"):
        assert _inspect(Layout(tmp_path / "empty"), name)[2:] == expected[2:]
    assert "  library a\\x1b[31m" in lines(expected)


def test_what_cannot_be_trusted_or_read_is_one_sentence(layout: Layout, tmp_path: Path) -> None:
    _build(layout, "r.io/a:1")
    _build(layout, "r.io/b:1", what="y", subject="sha256:" + "0" * 64)
    with pytest.raises(PackagingError, match="is of another image"):
        _inspect(layout, "r.io/b:1")
    (tmp_path / "text").write_text("x")
    with tarfile.open(tmp_path / "other.tar", "w") as archive:
        archive.add(tmp_path / "text", "text")
    for name, words in (
        (f"oci:{layout.folder}", "add :TAG .*r.io/a:1, r.io/b:1"),
        (f"oci:{layout.folder}:r.io/c:1", "means no image"),
        (f"oci:{tmp_path}/nowhere", "No such file"),
        (f"{tmp_path}/text", "neither an OCI layout nor a tar of one"),
        (f"{tmp_path}/other.tar", "has no index.json"),
    ):
        with pytest.raises(ModuleError, match=words) as raised:
            _inspect(layout, name)
        assert "\n" not in str(raised.value)
    (attached,) = (each for each in layout.attached(layout.find("r.io/a:1")) if each.artifact_type == SBOM)
    layout.path(attached.digest).write_bytes(b"{}")
    with pytest.raises(PackagingError, match="is damaged"):
        _inspect(layout, "r.io/a:1")
    (layout.folder / "index.json").write_text("x")
    with pytest.raises(PackagingError, match=r"index.json is damaged"):
        _inspect(layout, "r.io/a:1")


def test_what_is_attached_goes_when_no_name_means_its_image_any_more(layout: Layout) -> None:
    first = _build(layout, "r.io/a:1")
    second = _build(layout, "r.io/a:2", what="y")
    _build(layout, "r.io/a:1", what="z")
    assert [len(layout.attached(each)) for each in (first, second)] == [0, 2]
    for path in (layout.folder / "blobs/sha256").iterdir():
        os.utime(path, (0, 0))
    layout.sweep()
    assert [layout.path(each.digest).exists() for each in (first, second)] == [False, True]
    assert all(layout.path(each.digest).exists() for each in layout.attached(second))
