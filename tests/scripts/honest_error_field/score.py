import json


def init():
    pass


def run(raw_data):
    try:
        data = json.loads(raw_data)
        return {"error": abs(data["seen"] - data["expected"]), "status": "ok"}
    except KeyError as e:
        raise ValueError("incomplete") from e
