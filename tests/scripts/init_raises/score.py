def init():
    load_model("absent.bin")


def load_model(path):
    raise FileNotFoundError(f"no weights in {path}")


def run(raw_data):
    return raw_data
