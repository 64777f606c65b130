"""Every snippet of docs/from-your-model.md makes a folder whose answers are the library's own."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from environments import environment

pytestmark = [pytest.mark.peer, pytest.mark.timeout(900)]

PAGE = Path(__file__).parents[2] / "docs" / "from-your-model.md"
ONNX = ("onnx", "onnxruntime", "numpy", "pandas")
TREES = (*ONNX, "scikit-learn", "skl2onnx", "onnxmltools", "lightgbm", "xgboost-cpu")
NETWORKS = (*ONNX, "torch==2.13.0", "onnxscript", "keras")
MLFLOW = ("pandas", "scikit-learn", "cloudpickle", "mlflow-skinny>=3")

OWN = """
import json
import numpy as np
expected = {expected}
rows = data.to_dict("records") if hasattr(data, "to_dict") else [each.tolist() for each in data]
own = np.asarray(expected, dtype=float).reshape(len(rows), -1)
json.dump({{"rows": rows[:20], "expected": own[:20].tolist()}}, open("own.json", "w"))
"""
"""What is added to a snippet: its rows and the library's own predictions of them."""


@pytest.mark.parametrize(
    ("name", "needed", "expected"),
    [
        ("scikit-learn", TREES, "model.predict_proba(data)"),
        ("LightGBM", TREES, "model.predict(data)"),
        ("XGBoost", TREES, "model.predict(data)"),
        ("PyTorch", NETWORKS, "model(torch.tensor(data)).detach().numpy()"),
        ("Keras", NETWORKS, "model.predict(data, verbose=0)"),
        ("MLflow", MLFLOW, "model.predict(data)"),
    ],
)
def test_a_snippet_gives_the_answers_of_its_library(
    pytestconfig: pytest.Config, tmp_path: Path, name: str, needed: tuple[str, ...], expected: str
) -> None:
    """The rows of the snippet's own data, through `check` and `replay`."""
    section = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert section is not None
    snippet = re.search(r"```python\n(.*?)```", section[1], re.DOTALL)
    assert snippet is not None
    python = environment(pytestconfig, f"from-{needed[-1]}", *needed) / "bin" / "python"
    (tmp_path / "export.py").write_text(snippet[1] + OWN.format(expected=expected))
    subprocess.run([python, "export.py"], cwd=tmp_path, check=True, timeout=300)

    command = [sys.executable, "-m", "module.cli"]
    checked = subprocess.run([*command, "check", "--json", "--scoring-dir", tmp_path], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr.decode()
    assert json.loads(checked.stdout)["ok"]

    own = json.loads((tmp_path / "own.json").read_text())
    mapped = tmp_path / "scoring.json"
    names = json.loads(mapped.read_text())["inputs"]["features"] if mapped.exists() else None
    bodies = [dict(zip(names, row, strict=True)) if names else row for row in own["rows"]]
    if name == "PyTorch":
        bodies = [{"x": row} for row in own["rows"]]
    lines = tmp_path / "rows.jsonl"
    # A body that is an array is rows: one row each is meant here.
    lines.write_text("".join(json.dumps([body] if isinstance(body, list) else body) + "\n" for body in bodies))
    replayed = subprocess.run(
        [*command, "replay", "--scoring-dir", tmp_path, lines], capture_output=True, check=True, timeout=120
    )
    left = [json.loads(line)["body"] for line in replayed.stdout.splitlines()]
    numbers = [list(_numbers(each[-1] if isinstance(each, list) else each)) for each in left]
    np.testing.assert_allclose(numbers, own["expected"], rtol=1e-4, atol=1e-5)


def _numbers(prediction: object) -> list[float]:
    last = list(prediction.values())[-1] if isinstance(prediction, dict) else prediction  # after a label
    return np.asarray(last, dtype=float).reshape(-1).tolist()
