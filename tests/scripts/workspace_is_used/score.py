from azureml.core import Workspace


def init():
    global model
    ws = Workspace.from_config()
    model = ws.models["rul"]


def run(raw_data):
    return raw_data
