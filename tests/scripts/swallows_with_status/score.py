import json


def init():
    pass


def run(raw_data):
    try:
        return {"Result": sum(json.loads(raw_data)["data"]), "Status": "Success"}
    except Exception as e:
        return json.dumps({"Result": str(e), "Status": "Failed"})
