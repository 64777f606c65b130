import asyncio
import json


async def load():
    await asyncio.sleep(0)
    return 3


async def init():
    global factor, lock
    factor = await load()
    lock = asyncio.Lock()


async def run(raw_data):
    async with lock:
        return factor * json.loads(raw_data)
