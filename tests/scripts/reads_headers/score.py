def init():
    pass


def run(raw_data, request_headers):
    return {"type": request_headers["Content-Type"], "is_dict": type(request_headers) is dict, "size": len(raw_data)}
