from scoring import batched


def init():
    pass


@batched(max_size=4)
async def run(requests):
    return [request["x"] + 1 for request in requests]
