"""Scores with a pickled model: a message is a row, or {"data": [row, ...]} for one prediction a row."""

import json
from pathlib import Path

import joblib
import numpy

from scoring import RequestError

COLUMNS = ["COLUMNS"]  # the fields of a row that is an object, in the model's order


def init():
    """Runs once, at start. Unpickling runs code that the file names: load only files that you trust."""
    global model
    model = joblib.load(Path(__file__).with_name("MODEL"))


def run(raw_data):
    """Runs for every message; raw_data is the message's body as text."""
    body = json.loads(raw_data)
    several = body["data"] if isinstance(body, dict) and isinstance(body.get("data"), list) else None
    rows = [values_of(row) for row in ([body] if several is None else several)]
    predictions = model.predict(numpy.array(rows)).tolist()
    return predictions[0] if several is None else predictions


def values_of(row):
    """Gives a row's values in the model's order; a field that is not there would be NaN to a data frame."""
    if isinstance(row, dict) and COLUMNS:
        missing = [name for name in COLUMNS if name not in row]
        if missing:
            raise RequestError(f"the field {missing[0]} is missing (there: {', '.join(row)[:200] or 'none'})")
        return [row[name] for name in COLUMNS]
    if not isinstance(row, list) or (COLUMNS and len(row) != len(COLUMNS)):
        form = f"{len(COLUMNS)} values" if COLUMNS else "values; an object needs the names of its fields in COLUMNS"
        raise RequestError(f"a row is an array of {form}, got {json.dumps(row)[:80]}")
    return row
