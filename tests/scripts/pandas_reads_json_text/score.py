import pandas as pd


def init():
    pass


def run(raw_data):
    frame = pd.read_json(raw_data, orient="records")
    return frame["value"].cumsum().tolist()
