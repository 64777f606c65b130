def init():
    global weights
    weights = [1, 10, 100]


def run(input_array, people=None):
    told = [] if people is None else [(str(one["name"]), one["grades"].sum(), one["born"], one["at"]["y"]) for one in people]
    return {"sums": (input_array @ weights).tolist(), "type": str(input_array.dtype), "people": told}
