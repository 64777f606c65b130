"""An image as a whole, built without an engine from a base of the test's own and real wheels, unpacked and tried."""

import gzip
import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from module.errors import PackagingError, SettingsError
from module.packaging.environment.target import ELF_MACHINE, PLATFORMS
from module.packaging.image.base import open_base
from module.packaging.image.image import BuildOptions, Built, build
from module.packaging.registry import reference
from module.packaging.registry.credentials import Access
from module.packaging.registry.oci import MANIFEST, Layout
from module.packaging.registry.oci_documents import Descriptor
from scoring.errors import ScriptError

TURBOFAN = Path(__file__).parents[2] / "examples" / "turbofan"
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
PLATFORM = next((name for name, machine in PLATFORMS.items() if machine == platform.machine()), "")
NO_NETWORK = r"dns error|error sending request|[Cc]onnect|timed out|offline|Failed to fetch"

pytestmark = [pytest.mark.skipif(not PLATFORM, reason="no image is built for this machine"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give an OCI layout with what the build looks for in a base image, and nothing that runs."""
    folder = tmp_path_factory.mktemp("base")
    machine = ELF_MACHINE.get(PLATFORM, 0).to_bytes(2, "little")
    files = {
        f"usr/local/bin/python{PYTHON}": b"\x7fELF" + bytes(14) + machine + bytes(20),
        "usr/lib/libc.so.6": b"GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\n",
        "usr/lib/libstdc++.so.6": b"x",
    }
    with tarfile.open(folder / "base.tar", "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    layout = Layout(folder / "layout")
    digest = open_base(layout, str(folder / "base.tar"), "", PLATFORM, Access()).digest
    layout.tag("base:1", Descriptor(MANIFEST, digest, layout.path(digest).stat().st_size))
    return f"oci:{layout.folder}:base:1"


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return Layout(tmp_path_factory.mktemp("layout"))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    folder = tmp_path / "turbofan"
    folder.mkdir()
    for name in ("score.py", "model.onnx"):
        shutil.copy(TURBOFAN / name, folder)
    return folder


def built(layout: Layout, directory: Path, base: str, *, check: bool = False) -> Built:
    name = reference.parse("r.azurecr.io/scoring:7")
    options = BuildOptions(directory, name, base=base, platform=PLATFORM, tags={"line": "3"}, description="a test's")
    options = options._replace(check=check)
    try:
        return build(layout, options, Access())
    except PackagingError as error:
        if re.search(NO_NETWORK, str(error)):
            pytest.skip(f"wheels cannot be had: {error}")
        raise


def read(layout: Layout, made: Built) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give manifest and configuration."""
    manifest = layout.read(made.manifest.digest)
    return manifest, layout.read(manifest["config"]["digest"])


def unpack(layout: Layout, made: Built, root: Path) -> None:
    for layer in made.layers:
        with tarfile.open(layout.path(layer.blob.digest)) as archive:
            archive.extractall(root)


def test_what_an_engine_reads_of_it(layout: Layout, directory: Path, base: str) -> None:
    """Every layer's tar has the digest that the configuration says, the history a line each; how it starts; labels."""
    made = built(layout, directory, base)
    manifest, config = read(layout, made)
    tars = [gzip.decompress(layout.path(each["digest"]).read_bytes()) for each in manifest["layers"]]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in tars]
    assert len(config["history"]) == len(tars)
    assert all(layout.path(each["digest"]).stat().st_size == each["size"] for each in manifest["layers"])
    assert f"{config['os']}/{config['architecture']}" == PLATFORM
    started = config["config"]
    assert (started["User"], started["Cmd"]) == ("10001:10001", ["run"])
    assert started["Entrypoint"] == [f"/usr/local/bin/python{PYTHON}", "-m", "module.cli"]
    assert "PYTHONPATH=/opt/scoring/runtime:/opt/scoring/packages" in started["Env"]
    labels = started["Labels"]
    assert labels["scoring.model.name"] == "model.onnx"
    assert layout.find("r.azurecr.io/scoring:7") == made.manifest
    purposes = [layer.purpose for layer in made.layers]
    assert purposes[-4:] == ["other packages", "this runtime", "model", "score.py and configuration"]


def test_what_is_attached_to_it_says_what_it_was_made_from(layout: Layout, directory: Path, base: str) -> None:
    """A bill of materials and SLSA's provenance, each a manifest with the image as its subject."""
    made = built(layout, directory, base)
    manifests = [layout.read(each.digest) for each in layout.attached(made.manifest)]
    assert [each["subject"]["digest"] for each in manifests] == [made.manifest.digest] * 2
    bill, statement = (layout.read(each["layers"][0]["digest"]) for each in manifests)
    assert {"onnxruntime", "numpy", "model.onnx"} <= {each["name"] for each in bill["components"]}
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    digest = made.manifest.digest.removeprefix("sha256:")
    assert statement["subject"] == [{"name": "r.azurecr.io/scoring", "digest": {"sha256": digest}}]
    definition = statement["predicate"]["buildDefinition"]
    assert definition["externalParameters"]["tags"] == {"line": "3"}
    hashes = {each["name"]: each["digest"]["sha256"] for each in definition["resolvedDependencies"]}
    _, config = read(layout, made)
    labels = config["config"]["Labels"]
    assert hashes == {
        "base image": labels["org.opencontainers.image.base.digest"].removeprefix("sha256:"),
        "requirements.lock": labels["scoring.requirements.sha256"],
        "model model.onnx": hashlib.sha256((directory / "model.onnx").read_bytes()).hexdigest(),
        "score.py": hashlib.sha256((directory / "score.py").read_bytes()).hexdigest(),
    }
    pins = "".join(line for line in (directory / "requirements.lock").open() if not line.startswith("#"))
    assert hashes["requirements.lock"] == hashlib.sha256(pins.encode()).hexdigest()
    assert str(directory) not in json.dumps([bill, statement])


def test_the_digest_is_of_the_content_alone(layout: Layout, directory: Path, base: str, tmp_path: Path) -> None:
    """Another name, tag, description, path, path of the base, mask, time zone, locale, and an empty layout."""
    made = built(layout, directory, base)
    copy, other_base = tmp_path / "elsewhere" / "b", tmp_path / "moved"
    shutil.copytree(directory, copy)
    shutil.copytree(base.split(":")[1], other_base)
    arguments = ["build", copy, "--image", "other.io/b/c:8", "--base", f"oci:{other_base}", "--platform", PLATFORM]
    arguments += ["--tag", "commit=12", "--description", "else", "--layout", tmp_path / "layout"]
    done = subprocess.run(
        [Path(sys.executable).parent / "scoring-module", *map(str, arguments)],
        env={**os.environ, "TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "7"},
        umask=0o077,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.manifest.digest in done.stdout, done.stderr


def test_what_is_in_it_scores(layout: Layout, directory: Path, base: str, tmp_path: Path) -> None:
    """Its own runtime on its own packages, with nothing of this installation but the interpreter."""
    made = built(layout, directory, base)
    root = tmp_path / "root"
    unpack(layout, made, root)
    assert not (root / "opt/scoring/runtime/module/packaging").exists()
    command = root / "usr/local/bin/scoring-module"
    assert (command.stat().st_mode & 0o777, command.read_text().split()[0]) == (
        0o755,
        f"#!/usr/local/bin/python{PYTHON}",
    )
    app = root / "var/azureml-app"
    with gzip.open(TURBOFAN / "telemetry.jsonl.gz") as lines:
        (tmp_path / "in.jsonl").write_bytes(b"".join(next(lines) for _ in range(10)))
    paths = f"{root}/opt/scoring/runtime:{root}/opt/scoring/packages"
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-s", "-m", "module.cli", "replay", "--scoring-dir", app, tmp_path / "in.jsonl"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": paths, "ORT_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line)["body"] for line in done.stdout.splitlines()]
    assert len(answers) == 10
    assert all("PredictedRul" in answer for answer in answers)


def test_the_same_is_the_same_image_and_a_change_is_one_layer(layout: Layout, directory: Path, base: str) -> None:
    first = built(layout, directory, base)
    assert built(layout, directory, base).manifest == first.manifest
    with (directory / "score.py").open("a") as script:
        script.write("# another\n")
    changed = built(layout, directory, base)
    differing = [new.purpose for old, new in zip(first.layers, changed.layers, strict=True) if new != old]
    assert differing == ["score.py and configuration"]
    assert changed.manifest != first.manifest


_LOOKS = """
def init():
    import json, os
    left = set(os.environ) - {"PATH", "HOME", "TMPDIR", "LC_CTYPE", "ORT_DISABLE_TELEMETRY", "LANG"}
    left = {name for name in left if not name.startswith(("PYTHON", "SCORING_", "LC_", "AZUREML_", "AML_"))}
    assert not left, left
    assert os.path.samefile(".", os.environ["SCORING_DIR"]) and os.listdir(os.environ["HOME"]) in ([], ["journal"])
    assert os.stat("score.py").st_size and "SCORING_MODEL_STORE" not in os.environ
"""


def test_check_gives_a_script_what_the_image_has(
    layout: Layout, directory: Path, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No variable of whoever builds it (a registry's password, a hub's key), and the image's working directory."""
    for name in ("CONTAINER_REGISTRY_PASSWORD", "IOTHUB_CONNECTION_STRING", "SCORING_MODEL_STORE", "MY_TOKEN"):
        monkeypatch.setenv(name, "secret")
    script = (directory / "score.py").read_text()
    (directory / "score.py").write_text(f"{script}\n{_LOOKS}")
    assert built(layout, directory, base, check=True).notes[-1].endswith("no sample.json to score")


def test_a_name_that_allows_nothing_is_said(layout: Layout, directory: Path, base: str) -> None:
    built(layout, directory, base)  # so that what it needs is there
    options = ["--base", base, "--platform", PLATFORM, "--no-check", "--allow", "scroe.py", "--allow", "score.py"]
    command = [sys.executable, "-P", "-m", "module.cli", "build", str(directory), "--image", "r.example/a:1", *options]
    environment = {**os.environ, "SCORING_LAYOUT": str(layout.folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "--allow scroe.py allows nothing: no packed file has this name\n" in done.stderr
    assert "--allow score.py" not in done.stderr


def test_check_runs_on_what_is_packed(layout: Layout, directory: Path, base: str) -> None:
    """In the image's packages, on the packed files: what only this installation or the folder has is not there."""
    shutil.copy(TURBOFAN / "sample.json", directory)
    assert built(layout, directory, base, check=True).notes[-1].endswith("environment: good, 1 of 1 scored")
    script = (directory / "score.py").read_text()
    (directory / "score.py").write_text(f"import pytest\n{script}")
    with pytest.raises(SettingsError, match=r"score\.py line 1 imports pytest: nothing in the image has that"):
        built(layout, directory, base, check=True)
    (directory / "score.py").write_text(f"{script}\ndef init():\n    open('table.bin')\n")
    (directory / "table.bin").write_bytes(b"x")
    (directory / ".dockerignore").write_text("table.bin")
    before = layout.find("r.azurecr.io/scoring:7")
    with pytest.raises(
        ScriptError, match=r"check in the image's environment: init\(\) .*table\.bin.*--no-check"
    ) as found:
        built(layout, directory, base, check=True)
    assert "score.py" in found.value.user_traceback
    assert layout.find("r.azurecr.io/scoring:7") == before
    assert built(layout, directory, base).manifest != before


def test_a_script_saved_during_the_build_changes_nothing_of_it(layout: Layout, directory: Path, base: str) -> None:
    """What check ran, what label and provenance say and what is packed are one content; the folder's is another."""
    script = directory / "score.py"
    saved = f"\nopen({str(script)!r}, 'w').write('B')\n"
    script.write_text(content := script.read_text() + saved)
    made = built(layout, directory, base, check=True)
    assert script.read_text() == "B"
    assert (
        read(layout, made)[1]["config"]["Labels"]["scoring.script.sha256"]
        == hashlib.sha256(content.encode()).hexdigest()
    )
    with tarfile.open(layout.path(made.layers[-1].blob.digest)) as archive:
        packed = archive.extractfile("var/azureml-app/score.py")
        assert packed is not None
        assert packed.read().decode() == content
    assert not list(layout.folder.glob(".new-*"))
