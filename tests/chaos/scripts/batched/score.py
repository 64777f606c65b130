"""Batches of requests, one prediction each; long readings take their time, so that others wait behind them."""

import time

from scoring import batched


def init():
    pass


@batched(max_size=64)
def run(requests):
    if any(len(each["values"]) > 500_000 for each in requests):
        time.sleep(1.0)
    return [{"n": each["n"], "sum": sum(each["values"]), "size": len(each["values"])} for each in requests]
