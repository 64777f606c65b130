import json

LIMITS = json.loads("{}")
HIGHEST = LIMITS["highest"]


def init():
    pass


def run(raw_data):
    return raw_data
