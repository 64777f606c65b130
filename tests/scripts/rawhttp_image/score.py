from azureml_inference_server_http.api.aml_request import rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse


def init():
    pass


@rawhttp
def run(request):
    image = request.data[::-1]
    resp = AMLResponse(image, 200)
    resp.mimetype = "image/png"
    resp.headers["Access-Control-Allow-Origin"] = "*"
    return resp
