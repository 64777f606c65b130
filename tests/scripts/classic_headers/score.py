def init():
    pass


def run(request_headers=None, data=""):
    return data.upper()
