import json
import os

from azureml.contrib.services.aml_request import *
from azureml.contrib.services.aml_response import *
from azureml.core import *
from azureml.core.model import *


def init():
    global where
    where = Model.get_model_path("rul")


def run(raw_data):
    return {"size": len(json.loads(raw_data)["data"]), "names": [name for name in ("F", "io", "find_model") if name in globals()]}
