import pandas as pd
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.schema_decorators import input_schema

sample = pd.DataFrame({"speed": [1.5], "name": ["a"], "count": [1.0]})


def init():
    pass


@input_schema("data", PandasParameterType(sample))
def run(data):
    return {"columns": list(data.columns), "speed": data["speed"].tolist(), "missing": int(data.isna().sum().sum())}
