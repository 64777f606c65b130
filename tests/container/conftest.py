"""A base image, a registry with TLS and a password, engines, a scoring directory: made once for all container tests."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import Engine, docker, podman
from parts import Certificates, Registry, TokenServer, base_image, htpasswd, needs

EXAMPLE = Path(__file__).parents[2] / "examples" / "turbofan"


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, layout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a test from the user's models and credentials."""
    monkeypatch.setenv("SCORING_LAYOUT", str(layout))
    monkeypatch.setenv("SCORING_MODEL_STORE", str(tmp_path / "models"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    (tmp_path / "auth.json").write_text("{}")
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")


@pytest.fixture(scope="session")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give one image layout for all tests: packages are installed once."""
    return tmp_path_factory.mktemp("layout")


@pytest.fixture(scope="session")
def base() -> str:
    """Give the base image of this machine's architecture."""
    return str(base_image("amd64"))


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Give an authority and a certificate for localhost."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Registry]:
    """Give a registry with TLS and a password."""
    needs("docker-registry")
    folder = tmp_path_factory.mktemp("registry")
    made = Registry(folder, htpasswd(folder), certificates=certificates)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def token_server(tmp_path: Path, certificates: Certificates) -> Iterator[TokenServer]:
    """Give a token server like ACR's."""
    with TokenServer(tmp_path, certificates).serving() as server:
        yield server


@pytest.fixture
def token_registry(tmp_path: Path, token_server: TokenServer, certificates: Certificates) -> Iterator[Registry]:
    """Give a registry that wants the token server's tokens."""
    needs("docker-registry")
    made = Registry(tmp_path, token_server.auth(), certificates=certificates)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session", params=["podman", "docker"])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, registry: Registry
) -> Iterator[Engine]:
    """Give each engine that this machine has."""
    if request.param == "podman":
        with podman(tmp_path_factory.mktemp("podman"), registry.ca) as ready:
            yield ready
        return
    with docker(registry.ca) as started:
        yield started


@pytest.fixture
def turbofan(tmp_path: Path) -> Path:
    """Give a scoring directory: the turbofan example without what trains it."""
    folder = tmp_path / "turbofan"
    folder.mkdir()
    for name in ("score.py", "myenv.yml", "model.onnx"):
        shutil.copy(EXAMPLE / name, folder)
    lock = Path(os.environ["SCORING_LAYOUT"]) / "requirements.lock"  # so that versions are looked up once
    if lock.exists():
        shutil.copy(lock, folder)
    return folder
