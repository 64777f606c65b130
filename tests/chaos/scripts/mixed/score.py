"""Lists and tuples that hold predictions beside plain values."""

from scoring import NOTHING, Prediction, batched


def init():
    pass


def _answer(reading):
    total = sum(reading["values"])
    match total % 4:
        case 0:
            return [Prediction(total, output="alerts"), {"a": 2}]
        case 1:
            return (Prediction({"n": reading["n"]}), Prediction([total], output="alerts"))
        case 2:
            return [NOTHING, {"n": reading["n"]}]
    return {"a": NOTHING}


@batched(max_size=16)
def run(requests):
    return [_answer(each) for each in requests]
