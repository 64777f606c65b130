import asyncio
import json


def init():
    pass


async def run(raw_data):
    await asyncio.sleep(0)
    return {"doubled": 2 * json.loads(raw_data)}
