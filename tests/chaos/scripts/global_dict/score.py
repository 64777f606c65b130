"""A classic script that returns one and the same dictionary, filled anew at each call."""

import json

ANSWER = {}


def init():
    pass


def run(raw_data):
    data = json.loads(raw_data)
    ANSWER["n"] = data["n"]
    ANSWER["sum"] = sum(data["values"])
    ANSWER["history"] = [ANSWER["n"], ANSWER["sum"]]
    return ANSWER
