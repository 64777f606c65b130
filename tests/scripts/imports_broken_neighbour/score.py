import broken_neighbour_of_this_test


def init():
    pass


def run(raw_data):
    return raw_data
