import json


def init():
    pass


def run(mydata):
    return {"type": type(mydata).__name__, "value": json.loads(mydata)["value"]}
