def init():
    pass


def run(text, picture, day, request_headers, weights=[1]):
    return [text.upper(), len(picture), day.year, sum(weights), "Content-Type" in request_headers]
