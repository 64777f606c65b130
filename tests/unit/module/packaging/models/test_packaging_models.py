"""The folder store of models: dense versions, several writers, damage found on every read."""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from command import run

from module import cli
from module.errors import PackagingError, SettingsError
from module.packaging import commands, register
from module.packaging.models.folder import FolderModels
from module.packaging.models.model import ModelReference
from module.packaging.models.trees import write_whole


@pytest.fixture
def store(tmp_path: Path) -> FolderModels:
    return FolderModels(tmp_path / "store")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "model.onnx"
    made.write_bytes(b"one")
    return made


def test_versions_count_up_and_keep_what_was_said(store: FolderModels, file: Path) -> None:
    assert str(store.register("rul", file, {"data": "FD001"}, "a note")) == "rul:1"
    file.write_bytes(b"two")
    assert str(store.register("rul", file)) == "rul:2"
    first = store.show("rul:1")
    assert (first.tags, first.description, first.entry, first.size) == ({"data": "FD001"}, "a note", "model.onnx", 3)
    assert store.path(first).read_bytes() == b"one"


def test_a_name_means_the_newest_a_number_or_a_hash_one(store: FolderModels, file: Path) -> None:
    first = store.register("rul", file)
    file.write_bytes(b"two")
    second = store.register("rul", file)
    assert store.show("rul") == second
    assert store.show("rul:1") == first
    assert store.show(f"rul@sha256:{first.sha256}") == first
    assert store.show(f"rul@sha256:{second.sha256[:12]}") == second


def test_a_files_hash_is_what_sha256sum_prints(store: FolderModels, file: Path) -> None:
    said = subprocess.check_output(["sha256sum", file], text=True).split()[0]
    assert store.register("rul", file).sha256 == said


def test_a_folder_is_registered_whole_and_downloaded_as_it_was(store: FolderModels, tmp_path: Path) -> None:
    folder = tmp_path / "big"
    (folder / "inside").mkdir(parents=True)
    (folder / "a.onnx").write_bytes(b"a")
    (folder / "inside" / "b.data").write_bytes(b"b")
    store.register("pair", folder)
    got = store.download("pair", tmp_path / "got")
    assert got == tmp_path / "got" / "big"
    assert (got / "inside" / "b.data").read_bytes() == b"b"
    with pytest.raises(PackagingError, match="exists: give another folder"):
        store.download("pair", tmp_path / "got")


def test_damage_is_found_on_every_read(store: FolderModels, file: Path, tmp_path: Path) -> None:
    model = store.register("rul", file)
    store.path(model).write_bytes(b"0ne")
    with pytest.raises(PackagingError, match=r"rul:1 .* is damaged"):
        store.show("rul")
    with pytest.raises(PackagingError, match="is damaged"):
        store.download("rul", tmp_path / "got")
    (store.folder / "rul" / "1" / "model.json").write_text("{")
    with pytest.raises(PackagingError, match=r"model\.json is damaged"):
        store.registered()


DAMAGED = {
    "{": "Input data was truncated",
    "[]": "Expected `object`, got `array`",
    '{"x": ' + "[" * 100_000: "recursion",
    '{"name": "\xff"}': "codec",
    '{"name": "rul", "version": 7, "entry": "m", "sha256": "", "size": 1}': "it is of rul:7",
    '{"name": "../x", "version": 1, "entry": "m", "sha256": "", "size": 1}': "it is of ../x:1",
    '{"name": "rul", "version": 1, "entry": "../../..", "sha256": "", "size": 1}': "'../../..'",
    "": "No such file or directory",
}
"""A record → what is said of it."""


@pytest.mark.parametrize("record", DAMAGED)
def test_a_damaged_record_hides_no_other_model(store: FolderModels, file: Path, record: str) -> None:
    """Nor does it lead out of the store, whatever it says of itself."""
    for name in ("aaa", "rul", "rul", "zzz"):
        store.register(name, file)
    place = store.folder / "rul" / "1" / "model.json"
    place.write_text(record, encoding="latin-1")
    (store.folder / "rul" / "\N{SUPERSCRIPT TWO}").mkdir()
    (store.folder / "rul" / "01").mkdir()
    if not record:
        place.unlink()
    damaged: list[str] = []
    assert [str(each) for each in store.registered(None, damaged)] == ["aaa:1", "rul:2", "zzz:1"]
    assert len(damaged) == 1
    assert f"{place} is damaged, register the model again: " in damaged[0]
    assert DAMAGED[record] in damaged[0]
    assert store.show("rul").version == 2
    assert store.show(f"rul@sha256:{store.show('rul').sha256}").version == 2
    with pytest.raises(PackagingError, match="is damaged"):
        store.show("rul:1")
    assert str(store.register("rul", file)) == "rul:3"


def test_writers_at_the_same_time_get_a_version_each(store: FolderModels, file: Path) -> None:
    """Four processes and threads in each: 24 registrations, versions 1 to 24, no draft left behind."""
    script = (
        "import sys; from pathlib import Path; from module.packaging.models.folder import FolderModels\n"
        "for _ in range(4): FolderModels(Path(sys.argv[1])).register('rul', Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", script, str(store.folder), str(file)]
    processes = [subprocess.Popen(command) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: store.register("rul", file), range(8)))
    assert [process.wait(60) for process in processes] == [0] * 4
    assert [model.version for model in store.registered("rul")] == list(range(1, 25))
    assert not list((store.folder / "rul").glob(".new-*"))


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "a b", "a:1"])
def test_a_name_that_cannot_be_a_folder_is_refused(store: FolderModels, file: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="cannot be a model's name"):
        store.register(name, file)


@pytest.mark.parametrize("text", ["a:b", "a@sha256:xyz", "a@1", "a:1:2", ""])
def test_a_reference_has_three_forms(text: str) -> None:
    with pytest.raises(SettingsError, match="names no model"):
        ModelReference.parse(text)


def test_what_is_not_there_is_named(store: FolderModels, file: Path, tmp_path: Path) -> None:
    store.register("rul", file)
    with pytest.raises(PackagingError, match=r"no model rul:7 .* \(versions of rul: 1\)"):
        store.show("rul:7")
    with pytest.raises(SettingsError, match="there is no model at"):
        store.register("rul", tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SettingsError, match="holds no file"):
        store.register("rul", tmp_path / "empty")


def test_a_notebook_registers_as_it_used_to(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORING_MODEL_STORE", str(tmp_path / "store"))
    model = register(model_path=str(file), model_name="rul", tags={"a": "b"}, description="c")
    assert (str(model), model.tags, model.description) == ("rul:1", {"a": "b"}, "c")


def test_the_command_line_registers_lists_shows_and_downloads(file: Path, tmp_path: Path) -> None:
    def models(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return run("models", *arguments, "--store", "store", cwd=tmp_path)

    assert models("register", "--name", "rul", "--path", str(file), "--tag", "a=b").returncode == 0
    assert models("list").stdout.startswith(b"rul:1  sha256:")
    assert json.loads(models("show", "rul", "--json").stdout)["tags"] == {"a": "b"}
    assert models("download", "rul:1", "--to", "got").stdout.strip() == b"got/model.onnx"
    wrong = models("show", "rul:2")
    assert (wrong.returncode, wrong.stderr.count(b"\n")) == (1, 1)
    assert models("register", "--name", "rul", "--path", str(file), "--tag", "ab").returncode == 2
    file.with_name("caf\udce9").write_bytes(b"x")
    odd = models("register", "--name", "odd", "--path", str(file.with_name("caf\udce9")))
    assert (odd.returncode, odd.stderr.count(b"\n")) == (2, 1)
    assert b"'caf\\udce9' is no text in UTF-8: rename it" in odd.stderr
    models("register", "--name", "zzz", "--path", str(file))
    (tmp_path / "store" / "rul" / "1" / "model.json").write_text("{")
    listed = models("list")
    assert (listed.returncode, listed.stdout[:5], listed.stdout.count(b"\n")) == (0, b"zzz:1", 1)
    assert listed.stderr.startswith(b"scoring-module: ")
    assert b"is damaged" in listed.stderr


def test_a_file_is_written_where_its_link_leads_and_a_pipe_stays_one(tmp_path: Path) -> None:
    """`manifest -o /dev/stdout`, or to a link: neither is replaced by a file."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_text("old")
    for name, target in (("link", "real/a"), ("new", "real/b")):
        (tmp_path / name).symlink_to(target)
        write_whole(tmp_path / name, b"content")
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / target).read_bytes() == b"content"
        assert (tmp_path / target).stat().st_mode & 0o777 == 0o600
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_whole(tmp_path / "pipe", b"content")
    assert os.read(reader, 100) == b"content"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


def test_what_others_wrote_moves_no_cursor(store: FolderModels, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A tag, a file's name, a registry's message: a terminal obeys nothing in it."""
    store.register("a", file, {"note": "\x1b[2J\u202e"}, "one\x9bJ")
    list_ = argparse.Namespace(verb="list", store=store.folder, workspace=None, name=None, json=False)
    assert commands._models(list_) == 0
    shown = capsys.readouterr().out
    assert "note=\\x1b[2J\\u202e  one\\x9bJ" in shown
    assert cli._say(PackagingError("a registry says \x1b[2Jpushed\rok")) == 1
    assert capsys.readouterr().err == "scoring-module: a registry says \\x1b[2Jpushed\\rok\n"
