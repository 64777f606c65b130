import json
from collections import namedtuple

Pair = namedtuple("Pair", "a b")
KINDS = {
    "list": [1, 2.5, "x", None, True],
    "tuple": (1, 2),
    "nested": {"a": [{"b": (1,)}]},
    "namedtuple": Pair(1, 2),
    "number": 7,
    "float": 0.1,
    "large": 2**70,
    "bool": False,
    "none": None,
    "empty": [],
    "keys": {1: "a", 2.5: "b", True: "c", None: "d"},
    "text": "a plain text",
    "json text": json.dumps({"result": [1, 2]}),
    "number text": json.dumps(0.5),
}


def init():
    pass


def run(raw_data):
    return KINDS[json.loads(raw_data)["give"]]
