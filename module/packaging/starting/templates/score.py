"""Scores one message a call. Edit the three places that say so, then: scoring-module check --scoring-dir ."""

import json


def init():
    """Runs once, at start: load the model here and keep it in a global."""
    global model
    model = {"limit": 80.0}  # edit: joblib.load("model.pkl"), scoring.OnnxModel(), ...


def run(raw_data):
    """Runs for every message, never two at a time; raw_data is the message's body as text."""
    data = json.loads(raw_data)
    reading = data["temperature"]  # edit: the fields of your messages
    return {"alarm": reading > model["limit"]}  # edit: what leaves; it becomes the body of the output message
