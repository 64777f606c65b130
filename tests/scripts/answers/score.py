from scoring import NOTHING, Prediction, RequestError, batched


def init():
    pass


def answer(request):
    if "refuse" in request:
        raise RequestError(request["refuse"])
    if "nothing" in request:
        return NOTHING
    if "outputs" in request:
        return [Prediction(n, output=name, properties={"n": str(n)}) for n, name in enumerate(request["outputs"])]
    return request


@batched
def run(requests):
    return [answer(request) for request in requests]
