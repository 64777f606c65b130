from azureml.contrib.services.aml_request import rawhttp
from scoring import batched


def init():
    pass


@rawhttp
@batched
def run(requests):
    return requests
