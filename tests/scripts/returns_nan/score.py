import json

KINDS = {
    "value": [float("nan"), float("inf"), 1.0],
    "text": json.dumps([float("nan"), 1.0]),
}


def init():
    pass


def run(raw_data):
    return KINDS[json.loads(raw_data)["give"]]
