"""The contract observed on Azure ML's own server and on ours, side by side, for every script that both can load.

The server is azureml-inference-server-http from PyPI, in an environment of its own under pytest's cache.
"""

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
from addresses import free_port
from environments import environment
from script_cases import CASES, Case, answer

from scoring.errors import ScoringError
from scoring.scripts.results import ResultOptions

pytestmark = [pytest.mark.peer, pytest.mark.usefixtures("process"), pytest.mark.timeout(600)]

REPOSITORY = Path(__file__).parents[2]
NEEDED = ("azureml-inference-server-http", "pandas", "msgspec", "orjson")

MODEL_DIRS = {
    "model_dir_one": "azureml-models/rul/3",
    "model_dir_several": "azureml-models",
    "models_in_a_folder": "azureml-models/several/1",
}
"""What the images set AZUREML_MODEL_DIR to."""

_OURS_ONLY = "a decorator or a parameter name of ours"
_RETIRED = "imports a module that the current server no longer has"

NOT_LOADED_THERE = {
    **dict.fromkeys(("batched", "async_batched", "answers", "batch_of_wrong_length", "mini_batch_renamed"), _OURS_ONLY),
    **dict.fromkeys(("model_path_by_name", "model_path_by_name_and_version", "model_path_by_keywords"), _RETIRED),
    **dict.fromkeys(("model_path_local", "model_path_folder", "workspace_is_imported", "run_context"), _RETIRED),
    **dict.fromkeys(("collects_data", "collects_data_early", "collects_with_collector"), _RETIRED),
    **dict.fromkeys(("sklearn_externals_joblib", "automl", "imports_late", "imports_everything"), _RETIRED),
    **dict.fromkeys(("workbench_frame", "workbench_driver", "collects_with_mlmonitoring"), _RETIRED),
}
"""Folder → why the server cannot load it."""

FAILS_THERE = {
    "pandas_reads_json_text": "pandas 3 refuses text",
    "numpy_old_names": "NumPy 1.24 removed them",
    "async_run": "run() is not awaited",
    "async_init": "neither init() nor run() is awaited",
    "returns_rich": "no value of numpy, pandas, dates, bytes… is converted",
    "swallows_exception": "an exception is no JSON",
    **dict.fromkeys(("workbench_array", "workbench_plain"), "service_schema.json is of 2018"),
    "mini_batch_of_ours": "run() gets the text",
}
"""Folder → why a body that we score is answered with status 500 there."""

DIFFERENT = {
    "mini_batch": "run() gets the text, and a prediction for each of its letters is the answer",
    "schema_pandas": "NaN leaves as null: JSON has no NaN",
    "returns_nan": "NaN and infinities leave as null: JSON has neither",
}
"""Folder → why the values differ though both score it."""


@pytest.fixture(scope="session")
def peer(request: pytest.FixtureRequest) -> Path:
    """Give the Python of an environment with the real server; made once, skipped where no index can be reached."""
    return environment(request.config, "azureml-peer", *NEEDED) / "bin" / "python"


@contextmanager
def server(peer: Path, folder: Path, log: Path) -> Iterator[int]:
    """Serve a folder's score.py with the real server; gives its port."""
    port = free_port()
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith(("SCORING_", "AZUREML_", "AML_"))},
        "AML_APP_ROOT": str(folder),
        "AZUREML_ENTRY_SCRIPT": "score.py",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if folder.name in MODEL_DIRS:
        environment["AZUREML_MODEL_DIR"] = str(folder / MODEL_DIRS[folder.name])
    command = [str(peer), "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "-w", "1", "--preload"]
    command.append("azureml_inference_server_http.server.entry:app")
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT)
    try:
        wait_until_healthy(process, port, log)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def wait_until_healthy(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until the server answers; fail with its log if it ends."""
    for _ in range(2400):  # on a busy machine its imports take long
        if process.poll() is not None:
            raise RuntimeError(log.read_text(errors="replace")[-3000:])
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the server does not listen:\n{log.read_text(errors='replace')[-3000:]}")


def post(port: int, case: Case) -> tuple[int, bytes]:
    """Send a body, the properties both as headers and as the query; gives status and answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    query = f"?{urlencode(case.properties)}" if case.properties else ""
    connection.request("POST", f"/score{query}", case.body, {"Content-Type": case.content_type, **case.properties})
    response = connection.getresponse()
    try:
        return response.status, response.read()
    except http.client.IncompleteRead as error:  # what a generator raises breaks the answer off
        return 500, error.partial


def observed(peer: Path, folder: Path, log: Path) -> list[tuple[Case, int, bytes]]:
    """Give what the real server answers to every body for a folder; status 0: it cannot load the script."""
    cases = [case for case in CASES if case.folder == folder.name]
    try:
        with server(peer, folder, log) as port:
            return [(case, *post(port, case)) for case in cases]
    except RuntimeError as error:
        return [(case, 0, str(error).encode()) for case in cases]


@pytest.fixture(scope="session")
def there(
    peer: Path, scripts: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[tuple[Case, int, bytes]]]:
    """Give what the real server answers, by folder; two servers at a time."""
    logs = tmp_path_factory.mktemp("logs")
    folders = list(dict.fromkeys(case.folder for case in CASES))
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda name: observed(peer, scripts / name, logs / name), folders)
        return dict(zip(folders, answers, strict=True))


def test_it_loads_what_we_think_it_loads(there: dict[str, list[tuple[Case, int, bytes]]]) -> None:
    """The table of what it cannot load is neither too long nor too short."""
    assert {name for name, answers in there.items() if answers[0][1] == 0} == NOT_LOADED_THERE.keys()


@pytest.mark.parametrize("folder", dict.fromkeys(case.folder for case in CASES))
def test_the_same_body_gives_the_same_value(
    there: dict[str, list[tuple[Case, int, bytes]]], scripts: Path, folder: str
) -> None:
    """Value for value, with SCORING_RESULT=exact; what fails there fails here, but for the tables above."""
    for case, status, body in there[folder] if folder not in NOT_LOADED_THERE else []:
        if folder in DIFFERENT and not case.fails:
            assert status == 200, (case, body)
            continue
        if folder in FAILS_THERE and case.suspect is (folder == "swallows_exception") and not case.fails:
            assert status == 500, (case, body)
            continue
        try:
            (left,) = answer(scripts / folder, case, ResultOptions(text="exact"))
        except ScoringError:
            assert status >= 400, (case, body)
        else:
            assert status < 400, (case, body)
            assert left.body == body or json.loads(left.body) == json.loads(body), case


def test_with_the_real_inference_schema_ours_gives_the_same(peer: Path, scripts: Path) -> None:
    """The real package where it is installed, the stand-in where not: the same values, and failures where it fails."""
    paths = os.pathsep.join((str(REPOSITORY), str(REPOSITORY / "tests")))
    ran = subprocess.run(
        [str(peer), str(Path(__file__).with_name("score_cases.py")), str(scripts)],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith('{"')]
    assert len(lines) == len(CASES), ran.stderr[-3000:]
    for case, line in zip(CASES, lines, strict=True):
        if case.folder == "sklearn_externals_joblib":  # it has no scikit-learn
            continue
        if case.fails:
            # Real responses join the chunks of a generator only when they leave: its error is the same, said later.
            said = line.get("error", "").replace("what run() gave cannot be sent: ", "run() failed: ")
            assert said.startswith(case.fails), (case, line)
        elif isinstance(case.gives, bytes):
            assert line.get("body", "").encode("latin-1") == case.gives, (case, line)
        else:
            assert "body" in line, (case, line)
            assert json.loads(line["body"].encode("latin-1")) == case.gives, (case, line)
