import os

THRESHOLD = float(os.environ["SCORE_THRESHOLD_OF_THIS_TEST"])


def init():
    pass


def run(raw_data):
    return THRESHOLD
