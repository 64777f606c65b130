import json
import traceback


def init():
    pass


def run(raw_data):
    try:
        data = json.loads(raw_data)["data"]
        return {"result": sum(data)}
    except Exception as e:
        return {"error": str(e), "result": None, "status": 500}
