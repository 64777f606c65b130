def init():
    pass


def run(mini_batch):
    mini_batch["total"] = mini_batch["income"].sum()
    return mini_batch
