import pandas as pd
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.schema_decorators import input_schema

sample = pd.DataFrame({"a": [1], "b": [2]})


def init():
    pass


@input_schema("data", PandasParameterType(sample, enforce_shape=False, orient="split"))
def run(data):
    return data.sum(axis=1).tolist()
