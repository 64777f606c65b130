def init():
    global seen
    seen = 0


def run(raw_data):
    global seen
    seen += 1
    return {"seen": seen}
