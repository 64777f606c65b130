from pathlib import Path

HERE = Path(__file__).resolve().parent


def init():
    global factor
    factor = int((HERE / "models" / "factor.txt").read_text())


def run(raw_data):
    return factor * int(raw_data)
