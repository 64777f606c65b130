from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema


def init():
    pass


@input_schema("name", StandardPythonParameterType("a name"))
@input_schema("factor", StandardPythonParameterType(1.5))
@output_schema(StandardPythonParameterType({"text": "a name"}))
def run(name, factor):
    return {"text": name, "factor": factor, "type": type(factor).__name__}
