from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema


def init():
    pass


@input_schema("data", StandardPythonParameterType([1]))
@input_schema("factor", StandardPythonParameterType(1))
@input_schema("label", StandardPythonParameterType("x"), optional=True)
def run(data, factor=10, label=None, request_headers=None):
    return {"data": [factor * x for x in data], "label": label, "headers": "Content-Type" in request_headers}
