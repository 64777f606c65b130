"""The examples do what their READMEs say: real data, real models, the public API."""

import base64
import gzip
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest
from command import run

from scoring import OnnxModel, RequestError

ROOT = Path(__file__).parents[3]
TURBOFAN = ROOT / "examples" / "turbofan"
ANOMALY = ROOT / "examples" / "anomaly"
CAMERA = ROOT / "examples" / "camera"
SENSORS = [f"Sensor{number}" for number in range(1, 22)]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def telemetry(folder: Path) -> list[str]:
    return gzip.decompress((folder / "telemetry.jsonl.gz").read_bytes()).decode().splitlines()


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in telemetry(TURBOFAN)]


@pytest.fixture
def turbofan(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Give turbofan's score.py, initialised in its folder, as the runtime does it."""
    monkeypatch.chdir(TURBOFAN)
    script = load(TURBOFAN / "score.py")
    script.init()
    return script


def write_upstream(path: Path, bodies: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps({"module": "scoring", "output": "amlOutput", "body": b}) + "\n" for b in bodies))
    return path


def report(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra [examples]")
    monkeypatch.setattr(sys, "argv", ["report.py", *map(str, arguments)])
    load(TURBOFAN / "report.py").main()


def test_turbofan_telemetry_is_every_test_row_in_file_order(rows: list[dict[str, Any]]) -> None:
    """13,096 messages with the tutorial's field names, engine by engine, cycle by cycle."""
    assert len(rows) == 13_096
    expected = ["DeviceId", "CycleTime", *(f"OperationalSetting{number}" for number in (1, 2, 3)), *SENSORS]
    assert all(list(row) == expected for row in rows)
    places = [(row["DeviceId"], row["CycleTime"]) for row in rows]
    assert places == sorted(places)
    assert {engine for engine, _ in places} == set(range(1, 101))


def test_turbofan_model_predicts_well_enough(rows: list[dict[str, Any]]) -> None:
    """RMSE of at most 18.5 cycles over the last rows of the 100 engines, the truth capped at 125."""
    last = {row["DeviceId"]: [row[name] for name in SENSORS] for row in rows}
    truth = np.minimum([float(life) for life in (TURBOFAN / "RUL_FD001.txt").read_text().split()], 125)
    session = onnxruntime.InferenceSession(TURBOFAN / "model.onnx", providers=["CPUExecutionProvider"])
    (predicted,) = session.run(["rul"], {"sensors": np.array(list(last.values()), dtype=np.float32)})
    assert predicted.shape == (100, 1)
    assert np.sqrt(np.mean((predicted[:, 0] - truth) ** 2)) <= 18.5


def test_turbofan_script_adds_the_prediction(turbofan: ModuleType, rows: list[dict[str, Any]]) -> None:
    """Every field stays, PredictedRul comes last, the request itself is left alone."""
    requests = rows[:3]
    predictions = turbofan.run(requests)
    assert [{k: v for k, v in p.items() if k != "PredictedRul"} for p in predictions] == requests
    assert all(isinstance(p["PredictedRul"], float) and 0 < p["PredictedRul"] < 140 for p in predictions)
    assert "PredictedRul" not in requests[0]


@pytest.mark.parametrize(("reading", "sentence"), [(None, "Sensor7 is missing"), ("hot", "Sensor7 is not a number")])
def test_turbofan_script_names_the_sensor_that_is_wrong(
    turbofan: ModuleType, rows: list[dict[str, Any]], reading: str | None, sentence: str
) -> None:
    """The errors output says which field to mend."""
    bad = {**rows[0], "Sensor7": reading}
    if reading is None:
        del bad["Sensor7"]
    with pytest.raises(RequestError, match=sentence):
        turbofan.run([rows[1], bad])


def test_report_gives_rmse_and_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Truth is RUL plus the cycles to the engine's last row; duplicates count once, other messages not at all."""
    bodies: list[dict[str, Any]] = [
        {"DeviceId": 1, "CycleTime": 30, "PredictedRul": 0.0},
        {"DeviceId": 1, "CycleTime": 31, "PredictedRul": 110.0},  # its last row: 112 remain, an error of 2
        {"DeviceId": 2, "CycleTime": 48, "PredictedRul": 100.0},  # 98 remain a cycle later, an error of 1
        {"DeviceId": 2, "CycleTime": 48, "PredictedRul": 100.0},
        {"error": {"type": "RequestError", "message": "Sensor7 is missing"}},
    ]
    picture = tmp_path / "picture.png"
    report(monkeypatch, write_upstream(tmp_path / "upstream.jsonl", bodies), "-o", picture)
    assert capsys.readouterr().out == f"RMSE 1.6 cycles over 2 engines, picture in {picture}\n"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_report_without_predictions_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, no traceback."""
    with pytest.raises(SystemExit, match="simulate --upstream"):
        report(monkeypatch, tmp_path / "absent.jsonl")
    with pytest.raises(SystemExit, match="holds no PredictedRul"):
        report(monkeypatch, write_upstream(tmp_path / "upstream.jsonl", [{"other": 1}]))


def test_anomaly_script_is_a_classic_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """run(text) → the message with anomaly and score; all 101 anomalies of 618 rows are found."""
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(ANOMALY))
    script = load(ANOMALY / "score.py")
    script.init()
    lines = telemetry(ANOMALY)
    predictions = [script.run(raw_data=line) for line in lines]
    assert len(predictions) == 618
    assert {**json.loads(lines[0]), "anomaly": False, "score": predictions[0]["score"]} == predictions[0]
    assert all(p["anomaly"] is (p["score"] > 0.5) for p in predictions)
    assert sum(p["anomaly"] for p in predictions) == 101


def test_camera_finds_the_parts_without_a_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Most of them, in the frames' own pixels, counted by the report; a frame may be the body itself."""
    pytest.importorskip("PIL", reason="needs the extra [images]")
    requests = [json.loads(line) for line in telemetry(CAMERA)]
    model = OnnxModel(CAMERA / "model.onnx")
    predictions = model.predict(requests)
    assert [list(each) for each in predictions] == [["camera", "frame", "parts"]] * 30
    assert model.predict([base64.b64decode(requests[4]["image"])]) == [{"parts": predictions[4]["parts"]}]
    picture = tmp_path / "camera.jpg"
    upstream = write_upstream(tmp_path / "upstream.jsonl", predictions)
    monkeypatch.setattr(sys, "argv", ["report.py", str(upstream), "-o", str(picture)])
    load(CAMERA / "report.py").main()
    found, there, frames, wrong = map(int, re.findall(r"\d+", capsys.readouterr().out.partition(", picture")[0]))
    assert (there, frames) == (126, 30)
    assert found >= 118
    assert wrong <= 10
    assert picture.read_bytes().startswith(b"\xff\xd8")


def test_camera_sends_its_frames_as_they_are(tmp_path: Path) -> None:
    """Messages of type image/jpeg through the module's own pipeline; one that is none goes to the errors output."""
    pytest.importorskip("PIL", reason="needs the extra [images]")
    frames = [json.loads(line)["image"] for line in telemetry(CAMERA)[:5]]
    frames.insert(2, base64.b64encode(b"\xff\xd8\xff no picture").decode())
    messages, out = tmp_path / "messages.jsonl", tmp_path / "out.jsonl"
    system = {"content_type": "image/jpeg"}
    messages.write_text("".join(json.dumps({"system": system, "base64": frame}) + "\n" for frame in frames))
    ended = run("replay", "--messages", messages, "--scoring-dir", CAMERA, "-o", out, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["output"] for line in lines] == ["amlOutput"] * 2 + ["errors"] + ["amlOutput"] * 3
    assert all(line["body"]["parts"] for line in lines if line["output"] == "amlOutput")
    assert "the body is no JPEG or PNG: it begins with" in lines[2]["body"]["error"]["message"]


def test_camera_truth_is_what_was_drawn() -> None:
    """From its seeds, without training anew."""
    pytest.importorskip("sklearn", reason="needs the extra [examples]")
    train = load(CAMERA / "train.py")
    scenes = [train.scene(np.random.default_rng(1000 + number)) for number in range(train.FRAMES)]
    truth = json.loads((CAMERA / "truth.json").read_text())
    drawn = [[(train.LABELS[label], *(round(edge, 1) for edge in box)) for label, *box in boxes] for _, boxes in scenes]
    assert [[(each["label"], *each["box"]) for each in parts] for parts in truth] == drawn


def test_anomalys_readme_shows_what_the_script_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message in its table gets what stands beside it."""
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(ANOMALY))
    script = load(ANOMALY / "score.py")
    script.init()
    message, added = re.findall(
        r"^\| `({.*})` \| the same object with `(.*)` added", (ANOMALY / "README.md").read_text(), re.M
    )[0]
    answer = script.run(raw_data=message)
    answer["score"] = round(answer["score"], 4)
    assert answer == json.loads(message) | json.loads(f"{{{added}}}")


@pytest.mark.parametrize(("folder", "variable"), [(TURBOFAN, "TURBOFAN_DATA"), (ANOMALY, "ANOMALY_DATA")])
def test_training_again_gives_the_same_bytes(tmp_path: Path, folder: Path, variable: str) -> None:
    """No time, no chance and no random name gets into a model or its telemetry."""
    pytest.importorskip("skl2onnx", reason="needs the extra [examples]")
    if variable not in os.environ:
        pytest.skip(f"set {variable} to the folder with the training data")
    made = []
    for name in ("first", "second"):
        output = tmp_path / name
        output.mkdir()
        command = [sys.executable, f"{folder}/train.py", "--data", os.environ[variable], "--output", str(output)]
        subprocess.run(command, check=True, capture_output=True)
        made.append({path.name: path.read_bytes() for path in output.iterdir()})
    assert made[0] == made[1]
    assert gzip.decompress(made[0]["telemetry.jsonl.gz"]).decode().splitlines() == telemetry(folder)


def test_template_routes_telemetry_through_the_module_to_the_cloud() -> None:
    """Leaf devices' messages in, predictions and errors out; nothing of the module comes back to it."""
    hub = json.loads((ROOT / "deployment.template.json").read_text())["modulesContent"]["$edgeHub"]
    assert hub["properties.desired"]["schemaVersion"] == "1.1"
    assert [route["route"] for route in hub["properties.desired"]["routes"].values()] == [
        "FROM /messages/* WHERE NOT IS_DEFINED($connectionModuleId) "
        'INTO BrokeredEndpoint("/modules/scoring/inputs/amlInput")',
        "FROM /messages/modules/scoring/outputs/amlOutput INTO $upstream",
        "FROM /messages/modules/scoring/outputs/errors INTO $upstream",
    ]


def test_template_keeps_the_journal_and_leaves_registry_and_tag_open() -> None:
    """The journal's named volume outlives the container; no address, user or password is written down."""
    text = (ROOT / "deployment.template.json").read_text()
    agent = json.loads(text)["modulesContent"]["$edgeAgent"]["properties.desired"]
    options = agent["modules"]["scoring"]["settings"]["createOptions"]
    assert options["HostConfig"]["Mounts"] == [
        {"Type": "volume", "Source": "scoring-journal", "Target": "/var/lib/scoring"}
    ]
    assert options["StopTimeout"] == 10
    assert set(re.findall(r"\$([A-Z][A-Za-z_]+)", text)) == {
        "CONTAINER_REGISTRY_SERVER",
        "CONTAINER_REGISTRY_USERNAME_scoring",
        "CONTAINER_REGISTRY_PASSWORD_scoring",
        "SCORING_TAG",
    }
