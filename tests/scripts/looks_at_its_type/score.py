import json


def init():
    pass


def run(data):
    if not isinstance(data, str):
        return data.sum()
    try:
        return data.to_dict()
    except AttributeError:
        return sum(json.loads(data))
