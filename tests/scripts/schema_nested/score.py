import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema

nested = StandardPythonParameterType({"rows": NumpyParameterType(np.array([[1, 2]])), "tag": StandardPythonParameterType("x")})


def init():
    pass


@input_schema("param", nested)
def run(param):
    return {"sum": param["rows"].sum(axis=1).tolist(), "tag": param.get("tag"), "more": sorted(param)}
