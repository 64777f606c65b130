import datetime

from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema


def init():
    pass


@input_schema("when", StandardPythonParameterType(datetime.datetime(2018, 12, 1, 10, 0)))
@input_schema("data", StandardPythonParameterType(b"abc"))
def run(when, data):
    return {"year": when.year, "data": data.decode()}
