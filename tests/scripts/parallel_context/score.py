def init():
    pass


def run(input_data, mini_batch_context):
    return [mini_batch_context.partition_key_value] * len(input_data)
