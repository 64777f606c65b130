import json
import os
from pathlib import Path

import pandas as pd


def init():
    global models
    folder = Path(os.getenv("AZUREML_MODEL_DIR")) / "models"
    models = {name[:-4]: float((folder / name).read_text()) for name in os.listdir(folder)}


def run(data):
    data = json.loads(data)
    try:
        factor = models[data["model"]]
    except KeyError:
        raise KeyError("No such model")
    return (pd.DataFrame(data["data"]) * factor).to_json()
