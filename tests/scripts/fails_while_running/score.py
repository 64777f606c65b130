import json

KINDS = {"exit": SystemExit, "stop": StopIteration, "value": ValueError, "memory": MemoryError}


def init():
    pass


def run(raw_data):
    request = json.loads(raw_data)
    if "raise" in request:
        raise KINDS[request["raise"]]("because it was asked to")
    return request["value"]
