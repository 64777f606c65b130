def init():
    pass


async def run(mini_batch):
    return [open(each).read() for each in mini_batch]
