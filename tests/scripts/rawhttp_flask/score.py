from azureml_inference_server_http.api.aml_request import rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse


def init():
    pass


@rawhttp
def run(request):
    try:
        import flask
    except ImportError:
        return AMLResponse({"told": True, "value": request.json}, 200, json_str=True)
    told = (flask.request.headers["Room"], flask.current_app.name != "", isinstance(request, flask.Request))
    return flask.jsonify(told=told == ("7", True, True), value=flask.request.json)
