import json


def init():
    pass


def first_of(data):
    try:
        return data["first"]
    except TypeError:
        return json.loads(data)[0]


def run(request_headers, data):
    if "none" in request_headers["Content-Type"]:
        return None
    try:
        return data.to_dict()
    except AttributeError:
        return sum(json.loads(data)) + 0 * first_of(data)
