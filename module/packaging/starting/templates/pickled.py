"""Scores rows of numbers with a pickled model: {"data": [[...], ...]} gives one prediction a row."""

import json
from pathlib import Path

import joblib
import numpy as np


def init():
    """Runs once, at start. Unpickling runs code that the file names: load only files that you trust."""
    global model
    model = joblib.load(Path(__file__).with_name("MODEL"))


def run(raw_data):
    """Runs for every message; raw_data is the message's body as text."""
    rows = np.array(json.loads(raw_data)["data"])
    return model.predict(rows).tolist()
