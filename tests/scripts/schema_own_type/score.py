from inference_schema.parameter_types.abstract_parameter_type import AbstractParameterType
from inference_schema.schema_decorators import input_schema


class Celsius(AbstractParameterType):
    def __init__(self):
        super().__init__(0.0)

    def deserialize_input(self, input_data):
        return (float(input_data.rstrip("F")) - 32) * 5 / 9

    def input_to_swagger(self):
        return {"type": "string", "example": "32F"}


def init():
    pass


@input_schema("temperature", Celsius())
def run(temperature):
    return round(temperature, 1)
