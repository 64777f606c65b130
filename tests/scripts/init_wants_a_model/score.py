from scoring import OnnxModel


def init():
    global model
    model = OnnxModel("absent.onnx")


def run(raw_data):
    return raw_data
