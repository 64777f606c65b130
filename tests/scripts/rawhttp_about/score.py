from azureml_inference_server_http.api.aml_request import rawhttp


def init():
    pass


@rawhttp
def run(request):
    return {
        "method": request.method,
        "path": [request.path, request.full_path, request.script_root, request.query_string.decode()],
        "url": [request.scheme, request.path in request.url, request.base_url.endswith("/score")],
        "host": [bool(request.host), request.host in request.url, request.host_url.startswith("http://")],
        "address": request.remote_addr,
        "cookies": dict(request.cookies),
        "agent": [request.user_agent.string, str(request.user_agent)],
        "json": [request.is_json, request.get_json(silent=True)],
        "type": [request.mimetype, request.content_type, dict(request.mimetype_params)],
        "length": [request.content_length, len(request.get_data()), len(request.get_data(as_text=True))],
        "charset": getattr(request, "charset", "utf-8"),
        "accepts": [request.accept_mimetypes.best, request.authorization, request.referrer, request.is_secure],
        "again": request.data == request.get_data(),
    }
