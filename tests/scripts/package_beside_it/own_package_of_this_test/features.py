FACTOR = 1


def scale(value):
    return FACTOR * value
