from inference_schema.parameter_types.spark_parameter_type import SparkParameterType
from inference_schema.schema_decorators import input_schema


def init():
    pass


@input_schema("data", SparkParameterType(None))
def run(data):
    return data
