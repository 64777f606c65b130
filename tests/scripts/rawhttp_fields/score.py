from azureml_inference_server_http.api.aml_request import rawhttp
from werkzeug.exceptions import BadRequestKeyError


def init():
    pass


def own(pairs):
    return sorted((name, value) for name, value in pairs if name.startswith(("X-", "Cookie", "User-")))


@rawhttp
def run(request):
    try:
        request.form["absent"]
    except BadRequestKeyError as error:
        absent = error.code
    files = request.files.items(multi=True)
    return {
        "files": [(name, part.filename, part.mimetype, part.read().hex()) for name, part in files],
        "file names": [part.filename for part in request.files.getlist("image")],
        "form": list(request.form.items(multi=True)),
        "label": [request.form.get("label"), *request.form.getlist("label")],
        "flat": request.form.to_dict(),
        "lists": request.form.to_dict(flat=False),
        "values": sorted(request.values.items(multi=True)),
        "args": sorted(request.args.items(multi=True)),
        "number": request.args.get("X-Limit", 5, type=int),
        "headers": own(request.headers),
        "again": own(request.headers.items()),
        "names": "x-site" in request.headers,
        "absent": [absent, "absent" in request.form, "absent" in request.files, request.headers.get("absent")],
        "data": request.data.decode("latin-1"),
        "types": [isinstance(request.files, dict), isinstance(request.args, dict)],
    }
