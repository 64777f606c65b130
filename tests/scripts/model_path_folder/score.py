import os

from azureml.core import Model


def init():
    global files
    files = sorted(os.listdir(Model.get_model_path("two")))


def run(raw_data):
    return files
