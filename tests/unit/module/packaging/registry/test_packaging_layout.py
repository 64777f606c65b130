"""Layers that are the same bytes for the same files, and the layout that they lie in."""

import hashlib
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import msgspec
import pytest

from module.errors import PackagingError
from module.packaging.image.contents import Entry, file_entry, folders_of
from module.packaging.image.layers import pack
from module.packaging.registry.oci import Layout
from module.packaging.registry.oci_documents import Descriptor


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def test_the_same_files_give_the_same_layer(layout: Layout, tmp_path: Path) -> None:
    """Whatever the order, the dates, the umask: one digest; another byte: another."""
    file = tmp_path / "a.py"
    file.write_text("a")
    entries = [Entry("app/b", b"b"), Entry("app/a.py", file), Entry("app", None, 0o755)]
    first = pack(layout, entries, "x")
    os.utime(file, (1, 1))
    file.chmod(0o600)
    assert pack(layout, entries[::-1], "x") == first
    file.write_text("c")
    assert pack(layout, entries, "x").blob.digest != first.blob.digest


def test_what_a_layer_says_of_its_files(layout: Layout, tmp_path: Path) -> None:
    program = tmp_path / "run"
    program.write_text("x")
    program.chmod(0o700)
    entries = [file_entry("opt/x/y/run", program), Entry("var/lib/scoring", None, 0o750, 10001)]
    layer = pack(layout, [*entries, *folders_of(entries[:1], "opt/x")], "x")
    with tarfile.open(layout.path(layer.blob.digest)) as archive:
        found = {member.name: (member.mode, member.uid, member.gid, member.mtime) for member in archive}
    assert found == {
        "opt/x": (0o755, 0, 0, 0),
        "opt/x/y": (0o755, 0, 0, 0),
        "opt/x/y/run": (0o755, 0, 0, 0),
        "var/lib/scoring": (0o750, 10001, 10001, 0),
    }


def test_a_blob_is_there_whole_or_not_at_all(layout: Layout) -> None:
    def half() -> None:
        with layout.writing() as new:
            new.write(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(PackagingError, match="No space left on device; make room or give another --layout"):
        half()
    with pytest.raises(PackagingError, match="arrived damaged"), layout.writing(Descriptor("l", "sha256:00", 1)) as new:
        new.write(b"x")
    assert list((layout.folder / "blobs" / "sha256").iterdir()) == []


def test_no_more_is_written_than_a_blob_is_said_to_have(layout: Layout) -> None:
    """A registry may send without an end: the disk is not filled by it."""
    with layout.writing(Descriptor("l", f"sha256:{hashlib.sha256(bytes(8)).hexdigest()}", 8)) as new:
        new.write(bytes(8))
        with pytest.raises(PackagingError, match="has more than its 8 bytes"):
            new.write(b"x")
    assert layout.path(new.digest).read_bytes() == bytes(8)


@pytest.mark.parametrize("digest", ["sha256:../../x", "../x", "", f"sha256:{'0' * 64}\n", f"sha256:{'A' * 64}"])
def test_what_is_no_digest_is_no_path(layout: Layout, digest: str) -> None:
    with pytest.raises(PackagingError, match="is no digest: sha256: and 64 digits are one"):
        layout.path(digest)


def test_a_blob_cut_short_is_not_there_and_a_changed_one_is_damaged(layout: Layout) -> None:
    blob = layout.put_json({"a": 1}, "x")
    assert layout.has(blob)
    layout.path(blob.digest).write_bytes(b'{"a":2}')
    with pytest.raises(PackagingError, match="is damaged: delete it"):
        layout.read(blob.digest)
    layout.path(blob.digest).write_bytes(b"{")
    assert not layout.has(blob)


def test_a_tag_means_the_last_image(layout: Layout) -> None:
    first, second = layout.put_json({"n": 1}, "m"), layout.put_json({"n": 2}, "m")
    layout.tag("r/a:1", first)
    layout.tag("r/a:2", first)
    layout.tag("r/a:1", second)
    assert layout.find("r/a:1") == second
    assert layout.find("r/a:2") == first
    with pytest.raises(PackagingError, match=r"has no image r/b:1, build it first \(there: r/a:1, r/a:2\)"):
        layout.find("r/b:1")


def test_what_nothing_needs_is_deleted_after_a_month(layout: Layout) -> None:
    layer, config, old = layout.put(b"layer", "l"), layout.put_json({}, "c"), layout.put(b"old", "l")
    manifest = layout.put_json(msgspec.to_builtins({"config": config, "layers": [layer]}), "m")
    layout.tag("a/b:1", manifest)
    month_ago = time.time() - 31 * 86_400
    for blob in (layer, config, old, manifest):
        os.utime(layout.path(blob.digest), (month_ago, month_ago))
    layout.once("recent", str, lambda: "x", lambda _: [])
    folders = [layout.filled(name, lambda folder: (folder.mkdir(), (folder / "file").touch())) for name in "ab"]
    os.utime(folders[0], (month_ago, month_ago))
    layout.sweep()
    assert [folder.exists() for folder in folders] == [False, True]
    assert layout.filled("b", lambda folder: pytest.fail("filled twice")) == folders[1]
    assert [layout.path(blob.digest).exists() for blob in (layer, config, manifest, old)] == [True, True, True, False]
    assert layout.once("recent", str, lambda: "made anew", lambda _: []) == "x"


def test_an_index_of_several_writers_keeps_every_tag(layout: Layout) -> None:
    from concurrent.futures import ThreadPoolExecutor

    blob = layout.put(b"x", "m")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: Layout(layout.folder).tag(f"a/b:{number}", blob), range(24)))
    assert all(layout.find(f"a/b:{number}") == Descriptor("m", blob.digest, 1) for number in range(24))


def test_what_a_killed_build_left_is_in_nobodys_way(layout: Layout) -> None:
    """Its lock ends with it, also one of an older version; its drafts are deleted after a day."""
    (layout.folder / ".lock").mkdir()
    places = [layout.folder, layout.folder / "folders", layout.path(f"sha256:{'0' * 64}").parent]
    drafts = [folder / name for folder in places for name in (".new-a", ".packages-b")]
    now = time.time()
    for draft in drafts:
        (draft / "x").mkdir(parents=True)
    layout.sweep()
    assert all(draft.exists() for draft in drafts)
    for draft in drafts:
        os.utime(draft, (now - 90_000, now - 90_000))
    layout.sweep()
    assert not any(draft.exists() for draft in drafts)
    script = "import os, sys; from pathlib import Path; from module.packaging.registry.oci import Layout\n"
    script += "with Layout(Path(sys.argv[1]))._locked(): os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", script, layout.folder], check=False, timeout=60)
    started = time.monotonic()
    layout.tag("a/b:1", layout.put(b"x", "m"))
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("note", [b"", b"{", b'"x"', b"[]"])
def test_a_note_of_another_version_is_made_anew(tmp_path: Path, note: bytes) -> None:
    """A layout outlives an upgrade: what its notes say then is not what is asked for."""
    layout = Layout(tmp_path)
    layout.once("key", int, lambda: 1, lambda _: [])
    (written,) = (tmp_path / "notes").iterdir()
    written.write_bytes(note)
    assert layout.once("key", int, lambda: 2, lambda _: []) == 2
    assert layout.once("key", int, lambda: 3, lambda _: []) == 2


def test_of_many_images_the_nearest_are_named(layout: Layout) -> None:
    blob = layout.put_json({}, "m")
    for name in ("r.example/scoring:7", "r.example/scoring:8", *(f"elsewhere/other:{number}" for number in range(23))):
        layout.tag(name, blob)
    with pytest.raises(PackagingError, match=r"the nearest of 25: (r.example/scoring:\d, ){2}[^,]*\)$"):
        layout.find("r.example/scorin:7")
