def score(data):
    return data
