"""Does what a body asks for, in a batch with others."""

import sys
from pathlib import Path

from scoring import Prediction, RequestError, batched

sys.path.insert(0, str(Path(__file__).parents[1]))

from misdeeds import DEEDS


def init():
    pass


def _answer(reading):
    do = reading.get("do", "")
    if do == "request error":
        raise RequestError
    if do == "many":
        return [Prediction(number) for number in range(70_000)]
    if do == "swallowed":
        try:
            Path("model.pkl of nobody").read_bytes()
        except OSError as error:
            return str(error)
    if do in DEEDS:
        return DEEDS[do]()
    answer = {"n": reading["n"], "sum": sum(reading["values"])}
    if do == "mutate":
        reading.clear()
    return answer


@batched(max_size=16)
def run(requests):
    answers = [_answer(each) for each in requests]
    return answers[1:] if any(each.get("do") == "wrong count" for each in requests) else answers
