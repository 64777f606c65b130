import json

from own_package_of_this_test import features
from own_package_of_this_test.features import scale


def init():
    features.FACTOR = 10


def run(raw_data):
    return scale(json.loads(raw_data))
