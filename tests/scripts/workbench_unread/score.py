def init():
    pass


def run(input_df):
    rows, columns = input_df.shape
    return [rows, columns]
