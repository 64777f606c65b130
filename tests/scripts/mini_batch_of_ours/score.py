import base64
import io
import json
import os
from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).parent


def settings(path):
    return json.loads(Path(path).read_text()) if os.path.exists(path) else {"limit": 2}


def init():
    global limit
    limit = settings(FOLDER / "settings.json")["limit"]


def length(request):
    with io.BytesIO(base64.b64decode(request["image"])) as stream:
        return len(stream.read())


def run(mini_batch):
    sizes = [length(request) for request in mini_batch]
    sums = [int(pd.read_csv(io.StringIO(request.get("table", "x"))).sum().sum()) for request in mini_batch]
    now = settings("settings.json")
    large = max(limit, now["limit"])
    return [{"size": size, "large": size > large, "sum": one} for size, one in zip(sizes, sums)]
