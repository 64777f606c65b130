def init():
    pass


def run(data, times=2):
    return data * times
