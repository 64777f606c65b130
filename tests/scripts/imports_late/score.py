def init():
    from azureml.core.model import Model

    global where
    where = Model.get_model_path("rul")


def run(raw_data):
    from azureml.contrib.services.aml_response import AMLResponse

    return AMLResponse(where, 200)
