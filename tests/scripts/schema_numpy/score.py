import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.schema_decorators import input_schema, output_schema

input_sample = np.array([[10.0, 9.0, 8.0]])
output_sample = np.array([3726.9])


def init():
    pass


@input_schema("data", NumpyParameterType(input_sample))
@output_schema(NumpyParameterType(output_sample))
def run(data):
    return {"sum": np.nansum(data, axis=1).tolist(), "nan": int(np.isnan(data).sum()), "type": str(data.dtype)}
