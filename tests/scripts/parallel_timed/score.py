import functools
import shutil


def init():
    pass


def timed(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def gather(files):
    for file in files:
        shutil.copy(file, ".")


def run(mini_batch):
    gather(mini_batch)
    return mini_batch


run = timed(run)
