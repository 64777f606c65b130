"""Is a machine's reading an anomaly? A scoring script as people have written them since 2018: one request a call."""

import json
import os

import numpy as np
import onnxruntime


def init():
    global session
    path = os.path.join(os.getenv("AZUREML_MODEL_DIR", "."), "model.onnx")
    session = onnxruntime.InferenceSession(path)


def run(raw_data):
    data = json.loads(raw_data)
    machine, ambient = data["machine"], data["ambient"]
    reading = [machine["temperature"], machine["pressure"], ambient["temperature"], ambient["humidity"]]
    anomaly, probabilities = session.run(None, {"reading": np.array([reading], dtype=np.float32)})
    return {**data, "anomaly": bool(anomaly[0]), "score": float(probabilities[0][1])}
