def init():
    pass


def run(data, model_name):
    return data
