def init():
    global factor
    with open("./factor.txt") as file:
        factor = int(file.read())


def run(raw_data):
    return factor * int(raw_data)
