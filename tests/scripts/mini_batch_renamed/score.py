from pathlib import Path

from scoring import batched as several


def init():
    pass


@several
def run(mini_batch):
    return [Path(each).suffix for each in mini_batch]
