import json
import os


def read(*path):
    with open(os.path.join(os.environ["AZUREML_MODEL_DIR"], *path)) as file:
        return json.load(file)


def init():
    global first, second
    first = read("first", "1", "model.json")
    second = read("second", "4", "model.json")


def run(raw_data):
    return first + second + json.loads(raw_data)
