import json
import logging

import numpy as np
import pandas as pd

import azureml.automl.core
from azureml.automl.core.shared import log_server, logging_utilities
from azureml.telemetry import INSTRUMENTATION_KEY

from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema

data_sample = PandasParameterType(pd.DataFrame({"age": pd.Series([0], dtype="int64"), "job": pd.Series(["x"], dtype="object")}))
input_sample = StandardPythonParameterType({"data": data_sample})
method_sample = StandardPythonParameterType("predict")
sample_global_params = StandardPythonParameterType({"method": method_sample})
result_sample = NumpyParameterType(np.array(["no"]))
output_sample = StandardPythonParameterType({"Results": result_sample})

try:
    log_server.enable_telemetry(INSTRUMENTATION_KEY)
    log_server.set_verbosity("INFO")
    logger = logging.getLogger("azureml.automl.core.scoring_script_v2")
except Exception:
    pass


def init():
    global model
    log_server.update_custom_dimensions({"model_name": "best"})
    try:
        logger.info("Loading model from path.")
        model = lambda frame: np.where(frame["age"] > 30, "yes", "no")
    except Exception as e:
        logging_utilities.log_traceback(e, logger)
        raise


@input_schema("GlobalParameters", sample_global_params, convert_to_provided_type=False)
@input_schema("Inputs", input_sample)
@output_schema(output_sample)
def run(Inputs, GlobalParameters={"method": "predict"}):
    data = Inputs["data"]
    result = model(data)
    return {"Results": result.tolist(), "method": GlobalParameters["method"]}
