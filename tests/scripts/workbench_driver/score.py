import importlib.util

from azureml.api.exceptions.BadRequest import BadRequestException
from azureml.api.schema.schemaUtil import *
from azureml.api.schema.schemaUtil import load_service_schema, parse_service_input

spec = importlib.util.spec_from_file_location("scores_of_this_test", "scores_of_this_test.py")
driver_module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(driver_module)


def run(http_body):
    try:
        arguments = parse_service_input(http_body, service_schema.input)
    except BadRequestException as error:
        return str(error)
    return driver_module.run(**arguments)


def init():
    global service_schema
    service_schema = load_service_schema("service_schema.json")
    driver_module.init()
