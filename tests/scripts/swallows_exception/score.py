import json
import traceback


def init():
    pass


def run(raw_data):
    try:
        data = json.loads(raw_data)["data"]
        return [sum(data)]
    except Exception as e:
        return e
