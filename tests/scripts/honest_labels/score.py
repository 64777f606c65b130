import json


def init():
    pass


def run(raw_data):
    try:
        return "invalid" if json.loads(raw_data)["value"] < 0 else "cat"
    except Exception as e:
        return str(e)
