import json

import numpy as np


def init():
    pass


def run(raw_data):
    data = np.array(json.loads(raw_data), dtype=np.float)
    return {"sum": float(np.product(data)), "kind": str(data.astype(np.int).dtype), "nan": np.NaN}
