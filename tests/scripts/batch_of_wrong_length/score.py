from scoring import batched


def init():
    pass


@batched
def run(requests):
    return requests[:1] + requests
