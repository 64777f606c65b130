import functools
import io
import json


def init():
    pass


def as_rows(function):
    @functools.wraps(function)
    def wrapper(rows):
        return function(json.load(io.StringIO(rows)))

    return wrapper


@as_rows
def run(rows):
    return [rows["b"] for each in rows["a"]]
