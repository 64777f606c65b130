import driver_module_of_this_test as driver_module


def init():
    driver_module.init()


def run(http_body, request_headers):
    return "the driver never calls it"
