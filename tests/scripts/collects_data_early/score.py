import json

from azureml.datacollector import ModelDataCollector


def init():
    global inputs, predictions
    inputs = ModelDataCollector("best_model", identifier="inputs", feature_names=["a", "b"])
    predictions = ModelDataCollector("best_model", identifier="predictions", feature_names=["sum"])


def run(raw_data):
    data = json.loads(raw_data)["data"]
    result = [sum(row) for row in data]
    inputs.collect(data)
    predictions.collect(result)
    return result
