import json

import pandas as pd
from azureml.ai.monitoring import Collector
from azureml.ai.monitoring.context import BasicCorrelationContext


def init():
    global inputs, outputs
    inputs = Collector(name="model_inputs", on_error=lambda error: print("collecting failed", error))
    outputs = Collector(name="model_outputs")


def run(data):
    frame = pd.DataFrame(json.loads(data)["data"])
    context = inputs.collect(frame, BasicCorrelationContext(id="request-1"))
    result = frame.sum(axis=1)
    outputs.collect(result.to_frame(name="sum"), context)
    return result.tolist()
