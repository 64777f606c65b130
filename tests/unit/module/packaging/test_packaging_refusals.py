"""``models``, ``build`` and ``push`` as their user meets them: wrong arguments and files are one sentence and 2."""

from pathlib import Path

import pytest
from command import run

IMAGE = "r.example/scoring:1"
GOOD = "def init(): pass\ndef run(raw_data): return raw_data\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, script in {"good": GOOD, "broken": "def init(:\n", "no-run": "def init(): pass\n"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "score.py").write_text(script)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "score.py").write_text(GOOD)
    (tmp_path / "secret" / "id_rsa").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "one.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "conda").mkdir()
    (tmp_path / "conda" / "score.py").write_text(GOOD)
    (tmp_path / "conda" / "myenv.yml").write_text("nothing")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("models register --name x --path nosuch", "there is no model at nosuch: give the file or folder to register"),
        ("models register --name x --path empty", "empty holds no file"),
        ("models register --name= --path one.jsonl", "'' cannot be a model's name"),
        ("models register --name x --path one.jsonl --tag novalue", "--tag novalue is not NAME=VALUE"),
        ("models show turbofan:x", "'turbofan:x' names no model: write name, name:3 or name@sha256:…"),
        ("models list --store one.jsonl", "one.jsonl is a file: give a folder with --store"),
        ("models list --workspace nosuch", "there is no --workspace nosuch"),
        (f"build nosuch --image {IMAGE}", "there is no scoring directory nosuch"),
        (f"build empty --image {IMAGE}", "empty has neither a score.py nor a model"),
        (f"build broken --image {IMAGE}", "broken/score.py line 1 does not compile: "),
        (f"build no-run --image {IMAGE}", "no-run/score.py has no function run(): add def run(raw_data)"),
        (
            f"build secret --image {IMAGE}",
            "secret: id_rsa looks like a secret (a private key, by its name): take it away",
        ),
        (f"build conda --image {IMAGE}", "conda/myenv.yml is no conda environment"),
        (f"build good --image {IMAGE} --ca-file nosuch", "there is no --ca-file nosuch"),
        (f"build good --image {IMAGE} --base nosuch.tar", "cannot read the base image nosuch.tar: No such file"),
        (f"build good --image {IMAGE} --base oci:nosuch", "cannot read the base image oci:nosuch: No such file"),
        (f"build good --image {IMAGE} --base one.jsonl", "one.jsonl is neither an OCI layout nor a tar of an image"),
        (f"build good --image {IMAGE} --layout one.jsonl", "cannot write"),
        (f"build good --image {IMAGE} --base=", "--base is empty: a variable of the shell may not be set"),
        (f"build good --image {IMAGE} --model=", "--model is empty: a variable of the shell may not be set"),
        (f"build good --image {IMAGE} --workspace nosuch", "--store and --workspace say where --model NAME is: give"),
        ("build good --image UPPER/x:1", "'UPPER/x:1' names no image: write REGISTRY/NAME:TAG, without a scheme, in s"),
        (f"push {IMAGE} --layout one.jsonl/layout", "cannot write"),
        (f"push {IMAGE} --ca-file nosuch", "there is no --ca-file nosuch"),
    ],
)
def test_a_wrong_argument_or_file_is_a_sentence_and_2(folder: Path, command: str, sentence: str) -> None:
    """As deploy.md says: 2 for arguments and files, and nothing is fetched for them."""
    own = {"SCORING_MODEL_STORE": folder / "store", "SCORING_LAYOUT": folder / "layout"}
    done = run(*command.split(), cwd=folder, **own)
    said = done.stderr.decode()
    assert sentence in said
    assert (done.returncode, said.count("\n"), done.stdout) == (2, 1, b"")


def test_an_empty_store_is_said(folder: Path) -> None:
    done = run("models", "list", "--store", folder / "store", cwd=folder)
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"no model is registered here" in done.stderr


@pytest.mark.parametrize("command", ["models show turbofan:7", f"push {IMAGE}"])
def test_what_is_not_there_yet_is_1(folder: Path, command: str) -> None:
    own = {"SCORING_MODEL_STORE": folder / "store", "SCORING_LAYOUT": folder / "layout"}
    done = run(*command.split(), cwd=folder, **own)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
