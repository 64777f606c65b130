import scoring


def init():
    pass


def run(raw_data):
    return scoring.score(raw_data)
