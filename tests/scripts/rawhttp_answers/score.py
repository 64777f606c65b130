import io
import json

from azureml_inference_server_http.api.aml_request import rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse


def init():
    pass


def chunks():
    yield "one "
    yield b"two "
    yield "drei ä"


def failing():
    yield "one"
    raise ValueError("the third part is missing")


ANSWERS = {
    "generator": lambda: AMLResponse(chunks(), 200),
    "failing": lambda: AMLResponse(failing(), 200),
    "list": lambda: AMLResponse(["a", b"b"], 200),
    "file": lambda: AMLResponse(io.BytesIO(b"line\nline \xff"), 200, {"Content-Type": "application/octet-stream"}),
    "lines": lambda: AMLResponse((json.dumps({"n": n}) + "\n" for n in range(3)), 200),
    "bytes": lambda: AMLResponse(b"\x00\xff", 200, {"Content-Type": "image/png"}),
    "text": lambda: AMLResponse("plain", 200),
    "json": lambda: AMLResponse({"a": [1]}, 200, json_str=True),
    "none": lambda: AMLResponse(None, 200),
    "empty": lambda: AMLResponse("", 200),
    "refused": lambda: AMLResponse("no such thing", 404),
    "broken": lambda: AMLResponse("out of order", 503),
    "replaced": lambda: replaced(),
}


def replaced():
    response = AMLResponse("first", 200)
    response.set_data("second")
    response.status_code = 201
    return response


@rawhttp
def run(request):
    return ANSWERS[request.get_json()["give"]]()
