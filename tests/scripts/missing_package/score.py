import a_package_that_is_nowhere


def init():
    pass


def run(raw_data):
    return raw_data
