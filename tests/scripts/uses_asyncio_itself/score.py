import asyncio
import json


def init():
    pass


async def score(data):
    return sum(data)


def run(raw_data):
    return asyncio.run(score(json.loads(raw_data)))
