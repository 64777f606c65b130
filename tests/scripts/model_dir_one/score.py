import json
import os


def init():
    global weights
    with open(os.path.join(os.getenv("AZUREML_MODEL_DIR"), "model.json")) as file:
        weights = json.load(file)


def run(raw_data):
    data = json.loads(raw_data)["data"]
    return [sum(w * x for w, x in zip(weights, row)) for row in data]
