from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse


def init():
    pass


@rawhttp
def run(request):
    data = request.get_json()
    if "status" in data:
        return AMLResponse({"message": "as asked"}, data["status"], json_str=True)
    same = request.json == data and request.data == request.get_data()
    return {"method": request.method, "same": same, "type": request.headers.get("content-type"), "args": dict(request.args)}
