import json
import traceback


def init():
    pass


def run(raw_data):
    try:
        return [sum(json.loads(raw_data)["data"])]
    except Exception:
        traceback.print_exc()
