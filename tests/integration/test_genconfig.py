"""The project's template, taken by the real iotedgedev and satisfying the published schemas."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from environments import environment
from published_schemas import violations

from module.errors import SettingsError
from module.packaging.deployment import deployment_file
from module.packaging.manifest import checks, manifest
from module.packaging.manifest.create_options import join

TEMPLATE = Path(__file__).parents[2] / "deployment.template.json"
DIGEST = "sha256:" + "b" * 64
ENV = """\
CONTAINER_REGISTRY_SERVER=myregistry.azurecr.io
CONTAINER_REGISTRY_USERNAME_scoring=pull
CONTAINER_REGISTRY_PASSWORD_scoring=secret
SCORING_TAG=7
"""


@pytest.fixture(scope="session")
def iotedgedev(pytestconfig: pytest.Config) -> Path:
    """Give the command ``iotedgedev``: ``$IOTEDGEDEV``, or installed once in an environment of its own."""
    if named := os.environ.get("IOTEDGEDEV"):
        return Path(named)
    return environment(pytestconfig, "iotedgedev", "iotedgedev>=3.3.9") / "bin" / "iotedgedev"


@pytest.fixture
def solution(tmp_path: Path) -> Path:
    shutil.copy(TEMPLATE, tmp_path)
    return tmp_path


def genconfig(iotedgedev: Path, folder: Path) -> dict[str, Any]:
    """Run ``solution genconfig`` and give the deployment; neither stale variables nor a proxy change the outcome."""
    keep = {name: text for name, text in os.environ.items() if not name.startswith(("CONTAINER_", "SCORING_"))}
    done = subprocess.run(
        [iotedgedev, "solution", "genconfig", "-f", "deployment.template.json", "-P", "amd64"],
        cwd=folder,
        env=keep,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "createOptions of module scoring validation passed" in done.stdout + done.stderr
    deployment: dict[str, Any] = json.loads((folder / "config" / "deployment.amd64.json").read_text())
    return deployment


def test_the_template_satisfies_the_published_template_schema() -> None:
    document = json.loads(TEMPLATE.read_text())
    assert violations("azure-iot-edge-deployment-template-3.0.json", document) == []
    del document["modulesContent"]["$edgeAgent"]["properties.desired"]["modules"]["scoring"]["status"]
    assert violations("azure-iot-edge-deployment-template-3.0.json", document) == ["'status' is a required property"]


@pytest.mark.timeout(600)
def test_iotedgedev_takes_the_template(iotedgedev: Path, solution: Path) -> None:
    """Its deployment satisfies the schema, and says the same as ours but for the pinned image."""
    (solution / ".env").write_text(ENV)
    theirs = genconfig(iotedgedev, solution)
    checks.check_schema(TEMPLATE, theirs)
    values = dict(line.split("=") for line in ENV.splitlines())
    options = manifest.ManifestOptions(
        template=TEMPLATE, image=f"myregistry.azurecr.io/scoring@{DIGEST}", with_secrets=True
    )
    ours = manifest.build(options, values).document
    for document in (theirs, ours):
        modules = document["modulesContent"]["$edgeAgent"]["properties.desired"]["modules"]
        modules["scoring"]["settings"] = join("scoring", modules["scoring"]["settings"])
    assert ours == theirs


@pytest.mark.timeout(600)
def test_without_dot_env_iotedgedev_leaves_placeholders_which_we_refuse(iotedgedev: Path, solution: Path) -> None:
    """It ends with 0 and an image that nothing can pull; deploy does not let that pass, nor does manifest make it."""
    left = genconfig(iotedgedev, solution)
    path = solution / "config" / "deployment.amd64.json"
    assert "$CONTAINER_REGISTRY_SERVER" in json.dumps(left)
    with pytest.raises(SettingsError, match=r"is \$CONTAINER_REGISTRY_SERVER.*: a placeholder has no value"):
        deployment_file.read(path)
    command = [
        sys.executable,
        "-P",
        "-m",
        "module.cli",
        "manifest",
        "--image",
        f"myregistry.azurecr.io/scoring@{DIGEST}",
    ]
    done = subprocess.run(command, cwd=solution, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("scoring-module: .env is not there: write the placeholders' values into it")
    assert not (solution / "deployment.json").exists()
