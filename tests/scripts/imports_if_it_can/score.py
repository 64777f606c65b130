try:
    from azureml.core.model import Model

    HAS_SDK = True
except ImportError:
    HAS_SDK = False


def init():
    pass


def run(raw_data):
    return len(raw_data)
