import base64
import io
import os
from pathlib import Path

FOLDER = Path(__file__).parent


def init():
    global limit
    limit = float(Path(FOLDER, "limit.txt").read_text()) if os.path.exists("limit.txt") else 2.0


def length(request):
    with io.BytesIO(base64.b64decode(request["image"])) as stream:
        return len(stream.read())


def run(mini_batch):
    sizes = [length(request) for request in mini_batch]
    return [{"size": size, "large": size > limit} for size in sizes]
