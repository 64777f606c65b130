import module


def init():
    pass


def run(raw_data):
    return module.score(raw_data)
