"""The image of the Dockerfile beside that of `build`: the same files, and what else an engine reads of it."""

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from dockerfile import dockerfile
from shell import build

pytestmark = [pytest.mark.container, pytest.mark.timeout(600)]
_PLACES = ("opt", "usr/local", "var/azureml-app", "var/lib/scoring")


def test_the_dockerfile_makes_the_same_files(turbofan: Path, base: str, tmp_path: Path, layout: Path) -> None:
    """Every path with its kind, mode, owner and content; labels as they are given; what differs is in deploy.md.

    What `build` refuses, the Dockerfile refuses.
    """
    (turbofan / "library").mkdir()
    (turbofan / "library" / "deep.py").write_text("x = 1\n")
    (turbofan / "notes.txt").write_text("read by score.py\n")
    (turbofan / "score.py").chmod(0o755)
    (turbofan / "telemetry.jsonl").write_text("{}\n")
    ended = build(turbofan, "localhost:1/dockerfile:1", base)
    ours, our_config = _image(layout, ended.digest)
    with dockerfile(tmp_path, turbofan, base) as made:
        labels = [f"--label={name}={value}" for name, value in our_config["config"]["Labels"].items()]
        made.build("localhost/made:1", *labels)
        made.buildah("push", "-q", "localhost/made:1", f"oci:{tmp_path}/made:1")
        (made.script / "id_rsa").write_text("x")
        with pytest.raises(AssertionError, match="id_rsa looks like a secret"):
            made.build("localhost/made:2")
        with (made.script / "requirements.lock").open("a") as lock:
            lock.write("--index-url http://127.0.0.1:1\n")
        with pytest.raises(AssertionError, match=r"requirements\.lock has options of pip: lock anew"):
            made.build("localhost/made:2")
    index = json.loads((tmp_path / "made/index.json").read_bytes())
    theirs, their_config = _image(tmp_path / "made", index["manifests"][0]["digest"])
    assert {path for path in theirs if path not in ours} == set()
    assert {path for path in ours if path not in theirs} == set()
    assert {path: (ours[path], theirs[path]) for path in ours if ours[path] != theirs[path]} == {}
    assert {"var/azureml-app/library/deep.py", "usr/local/bin/scoring-module"} <= set(ours)
    differing = {key for key, value in our_config["config"].items() if their_config["config"].get(key) != value}
    assert differing == {"Entrypoint", "Labels"}
    said = their_config["config"]["Labels"]
    assert {name: value for name, value in said.items() if name != "io.buildah.version"} == our_config["config"][
        "Labels"
    ]


def _image(layout: Path, digest: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give path → kind, mode, owner and content of all in an image, and its configuration."""
    manifest = json.loads(_blob(layout, digest).read_bytes())
    tree: dict[str, Any] = {}
    for layer in manifest["layers"]:
        with tarfile.open(_blob(layout, layer["digest"])) as archive:
            for member in archive:
                path = member.name.removeprefix("./").rstrip("/")
                for parent in Path(path).parents:  # which a layer need not name
                    tree.setdefault(str(parent), (tarfile.DIRTYPE, "0o755", 0, 0, ""))
                assert ".wh." not in path, "neither takes anything away"
                file = archive.extractfile(member) if member.isreg() else None
                what = hashlib.sha256(file.read()).hexdigest() if file else member.linkname
                tree[path] = (member.type, oct(member.mode & 0o7777), member.uid, member.gid, what)
    config = json.loads(_blob(layout, manifest["config"]["digest"]).read_bytes())
    return {path: each for path, each in tree.items() if path.startswith(_PLACES)}, config


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs/sha256" / digest.removeprefix("sha256:")
