"""Folders that the real MLflow saves, served with mlflow and without it: the values that the model gives alone."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from environments import environment

pytestmark = [pytest.mark.peer, pytest.mark.timeout(900)]

REPOSITORY = Path(__file__).parents[2]
NEEDED = ("mlflow-skinny>=3", "pandas", "scikit-learn", "skops", "lightgbm", "xgboost-cpu", "msgspec", "orjson")

SAVES = """
import sys
from pathlib import Path

import lightgbm
import mlflow
import numpy as np
import pandas as pd
import xgboost
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

root, random = Path(sys.argv[1]), np.random.default_rng(3)
x = pd.DataFrame({"age": random.integers(20, 60, 60), "income": random.random(60)})
y = (x.age > 40).astype(int)
tree = lightgbm.train({"verbose": -1, "min_data_in_leaf": 2}, lightgbm.Dataset(x, y), 3)
models = {
    "sklearn": (LogisticRegression().fit(x, y), mlflow.sklearn, {}),
    "pickled": (LogisticRegression().fit(x, y), mlflow.sklearn, {"serialization_format": "cloudpickle"}),
    "lightgbm": (tree, mlflow.lightgbm, {}),
    "lightgbm_sklearn": (lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(x, y), mlflow.lightgbm, {}),
    "xgboost": (xgboost.train({}, xgboost.DMatrix(x, y), 3), mlflow.xgboost, {}),
    "xgboost_sklearn": (xgboost.XGBClassifier(n_estimators=3).fit(x, y), mlflow.xgboost, {}),
}
given = pd.DataFrame({"age": [30, 50], "income": [0.25, 0.75]})
for name, (model, flavor, more) in models.items():
    give = (lambda rows: model.predict(xgboost.DMatrix(rows))) if name == "xgboost" else model.predict
    flavor.save_model(model, root / name, signature=infer_signature(x, give(x)), input_example=given, **more)
    (root / f"{name}.txt").write_text(repr([each.item() for each in np.asarray(give(given))]))
"""

SERVES = """
import importlib.util, json, sys
from pathlib import Path

folder, by = Path(sys.argv[1]), sys.argv[2]
if by == "its own library":
    from scoring.scripts import mlflow_model
    mlflow_model.find_spec = lambda name: None
from scoring.scripts.results import ResultOptions
from scoring.scripts.trial import try_script

trial = try_script(folder, "score.py", [], ResultOptions())
print(json.dumps([trial.error, trial.sample_from, trial.answers, [each["provider"] for each in trial.models]]))
"""


@pytest.fixture(scope="session")
def python(request: pytest.FixtureRequest) -> Path:
    """Give the Python of an environment with MLflow and the libraries of its flavours."""
    return environment(request.config, "mlflow-folders", *NEEDED) / "bin" / "python"


@pytest.fixture(scope="session")
def saved(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with an MLflow folder for each flavour, and beside it what the model gives for its example."""
    root = tmp_path_factory.mktemp("saved")
    ran = subprocess.run([python, "-c", SAVES, root], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return root


@pytest.mark.parametrize("by", ["mlflow", "its own library"])
@pytest.mark.parametrize("name", ["sklearn", "pickled", "lightgbm", "lightgbm_sklearn", "xgboost", "xgboost_sklearn"])
def test_a_saved_folder_gives_what_the_model_gives(python: Path, saved: Path, name: str, by: str) -> None:
    """Its example is scored by `check`; the provider says who loaded it."""
    ran = subprocess.run(
        [python, "-c", SERVES, saved / name, by],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    error, source, answers, providers = json.loads(ran.stdout.splitlines()[-1])
    assert (error, source) == ("", "input_example.json")
    assert json.loads(answers[0]) == pytest.approx(json.loads((saved / f"{name}.txt").read_text()), abs=0, rel=1e-7)
    assert providers[0].startswith(
        "mlflow " if by == "mlflow" else name.partition("_")[0].replace("pickled", "sklearn")
    )
