def init():
    pass


def run(mini_batch):
    return [len(mini_batch) for _ in mini_batch]
