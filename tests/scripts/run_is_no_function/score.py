run = 5


def init():
    pass
