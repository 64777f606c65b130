"""Does what a body asks for, one body at a time."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from misdeeds import DEEDS


def init():
    pass


def run(raw_data):
    reading = json.loads(raw_data)
    do = reading.get("do", "")
    if do == "swallowed":
        try:
            Path("model.pkl of nobody").read_bytes()
        except OSError as error:
            return str(error)
    if do in DEEDS:
        return DEEDS[do]()
    return {"n": reading["n"], "sum": sum(reading["values"])}
