import json

from azureml.core.model import Model


def init():
    global weight
    with open(Model.get_model_path(model_name="rul", version=2)) as file:
        weight = json.load(file)


def run(raw_data):
    return {"result": weight * json.loads(raw_data)}
