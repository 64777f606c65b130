def init():
    pass


def run(input_json):
    return input_json
