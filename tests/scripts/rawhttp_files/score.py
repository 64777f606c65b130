from azureml_inference_server_http.api.aml_request import rawhttp


def init():
    pass


@rawhttp
def run(req):
    image = req.files["image"]
    return {"name": image.filename, "size": len(image.read()), "label": req.form.get("label")}
