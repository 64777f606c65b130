from azureml.contrib.services.aml_request import AMLRequest, rawhttp
from azureml.contrib.services.aml_response import AMLResponse


def init():
    pass


@rawhttp
def run(request):
    if request.method == "GET":
        return AMLResponse(str(request.full_path), 200)
    if request.method == "POST":
        body = request.get_data(False)
        return AMLResponse(body, 200, {"Content-Type": "application/octet-stream"})
    return AMLResponse("bad request", 500)
