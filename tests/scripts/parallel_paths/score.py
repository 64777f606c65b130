import os

import numpy as np


def init():
    pass


def run(mini_batch):
    lines = []
    for number, image in enumerate(mini_batch):
        pixels = np.fromfile(open(image, "rb"), dtype="u1")
        lines.append(f"{number} {os.path.basename(image)} {pixels.mean()}")
    return lines
