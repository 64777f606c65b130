import json


def init():
    global factor
    factor = 4


def run(data):
    return factor * json.loads(data)
