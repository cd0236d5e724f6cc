"""The loop that a script would write for loudspeakers: publish one command by aiomqtt, count what comes back. Prints its seconds.

Run as a program: bare_centre.py PORT PASSWORD TOPIC COUNT; the signed command comes by standard input.
"""

import asyncio
import sys
from time import perf_counter

import aiomqtt

_RECEIPTS = "warnd/v1/terminal/+/receipt"


async def _loop(port: int, password: str, topic: str, *, count: int, command: bytes) -> float:
    client = aiomqtt.Client(
        "127.0.0.1", port, username="warnd", password=password, protocol=aiomqtt.ProtocolVersion.V5, identifier="bare"
    )
    async with client:
        await client.subscribe(_RECEIPTS, qos=1)
        began = perf_counter()
        await client.publish(topic, command, qos=1, retain=True)
        left = count
        async for _ in client.messages:
            left -= 1
            if left == 0:
                break
        return perf_counter() - began


if __name__ == "__main__":
    given = sys.stdin.buffer.read()
    print(  # noqa: T201 - its answer
        asyncio.run(_loop(int(sys.argv[1]), sys.argv[2], sys.argv[3], count=int(sys.argv[4]), command=given))
    )
