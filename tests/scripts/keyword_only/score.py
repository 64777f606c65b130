def init():
    pass


def run(*, data):
    return len(data)
