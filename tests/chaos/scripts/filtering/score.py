"""Nothing for some, another output for some, several predictions for some."""

from scoring import NOTHING, Prediction, batched


def init():
    pass


def _answer(reading):
    total = sum(reading["values"])
    match total % 5:
        case 0:
            return NOTHING
        case 1:
            return Prediction({"alert": total}, output="alerts")
        case 2:
            return [Prediction({"alert": total}, output="alerts"), Prediction({"n": reading["n"]})]
        case 3:
            return [NOTHING, Prediction({"n": reading["n"], "three": True}), Prediction({"second": total})]
    return {"n": reading["n"], "sum": total}


@batched(max_size=16)
def run(requests):
    return [_answer(each) for each in requests]
