import os


def init():
    global model
    model = open(os.path.join(os.getenv("AZUREML_MODEL_DIR"), "model.pkl"), "rb")


def run(raw_data):
    return raw_data
