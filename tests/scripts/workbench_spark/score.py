def init():
    pass


def run(input_df):
    return input_df.count()
