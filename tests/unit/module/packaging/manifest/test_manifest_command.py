"""``scoring-module manifest`` as its user meets it: one sentence that names what to change, exit code 2."""

from pathlib import Path

import pytest
from command import run
from template_edits import IMAGE, TEMPLATE, VALUES

ENV = "".join(f"{name}='{value}'\n" for name, value in VALUES.items())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deployment.template.json").write_text(TEMPLATE.read_text())
    (tmp_path / ".env").write_text(ENV)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--template", "nosuch.json"], "cannot read nosuch.json: No such file or directory"),
        (["--template", "elsewhere/nosuch.json"], "cannot read elsewhere/nosuch.json: No such file or directory"),
        (["--env", "other.env"], "set them in other.env or the environment: $CONTAINER_REGISTRY_USERNAME_scoring"),
        (["--env", "nosuch.env"], "nosuch.env is not there"),
        (["--no-env"], "have no value, set them in the environment: $CONTAINER_REGISTRY_USERNAME_scoring"),
        (["--platform", "bogus"], "--platform 'bogus' is none of a module here: write one of amd64, arm32v7, arm64v8"),
        (["--memory", ""], "--memory '' is not a size of at least 6m: write it like 512m or 2g"),
        (["--memory", "many"], "--memory 'many' is not a size"),
        (["--set", "batch.maxSize=x"], 'desired property batch.maxSize of module scoring is "x": expected a whole num'),
        (["--set", "batch.maxSize"], "--set batch.maxSize is not PLACE=VALUE"),
        (["--module", ""], "has no module , only scoring"),
        (["--image", "r.invalid/scoring:1", "--set", "log.level=loud"], 'is "loud": expected one of debug, info, warn'),
        (["--ca-file", "nosuch.pem", "--image", "r.example/scoring:1"], "there is no certificate file nosuch.pem"),
    ],
)
def test_a_wrong_argument_is_a_sentence_and_2(folder: Path, arguments: list[str], sentence: str) -> None:
    (folder / "other.env").write_text("UNRELATED=1\n")
    done = run("manifest", "--image", IMAGE, *arguments, cwd=folder)
    assert sentence in done.stderr.decode()
    assert (done.returncode, done.stderr.count(b"\n"), done.stdout) == (2, 1, b"")
    assert not (folder / "deployment.json").exists()


def test_what_is_written_in_vain_is_said_beside_it(folder: Path) -> None:
    done = run("manifest", "--image", IMAGE, "--set", "log.level=debug", cwd=folder)
    assert done.returncode == 0
    assert "desired property log.level changes nothing yet" in done.stderr.decode()
    assert (folder / "deployment.json").is_file()
