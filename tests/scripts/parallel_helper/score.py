from pathlib import Path


def init():
    pass


def size_of(path):
    return Path(path).stat().st_size


def run(mini_batch):
    return list(map(size_of, mini_batch))
