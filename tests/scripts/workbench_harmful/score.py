def init():
    pass


def run(text):
    return text
