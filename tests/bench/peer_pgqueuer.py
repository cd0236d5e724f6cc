"""pgqueuer posting the same texts: enqueued before, then drained by one worker with aiohttp. Prints its seconds.

Run by a Python with the packages of peers.txt: peer_pgqueuer.py DSN URL COUNT
"""

import asyncio
import sys
from time import perf_counter

import aiohttp
import asyncpg  # type: ignore[import-not-found,import-untyped,unused-ignore] # of peers.txt; no part of the project
import pgqueuer  # type: ignore[import-not-found,import-untyped,unused-ignore] # as above
from pgqueuer.types import QueueExecutionMode  # type: ignore[import-not-found,import-untyped,unused-ignore] # as above

_BATCH = 100
_BODY = "【清河预警】洪水红色预警：清河县。请立即转移到高处。"
_PATH = "/2010-04-01/Accounts/AC" + "0" * 32 + "/Messages.json"


async def _drain(dsn: str, url: str, count: int) -> float:
    conn = await asyncpg.connect(dsn)
    queries = pgqueuer.Queries(pgqueuer.AsyncpgDriver(conn))
    await queries.install()
    numbers = [f"+86130{number:08d}".encode() for number in range(count)]
    for start in range(0, count, 1000):
        part = numbers[start : start + 1000]
        await queries.enqueue(["text"] * len(part), list(part), [0] * len(part))
    worker = pgqueuer.PgQueuer(pgqueuer.AsyncpgDriver(conn))
    async with aiohttp.ClientSession(auth=aiohttp.BasicAuth("AC", "token")) as session:

        @worker.entrypoint("text")  # type: ignore[untyped-decorator,misc,unused-ignore] # the package is not there for mypy
        async def text(job: pgqueuer.Job) -> None:
            form = {
                "To": job.payload.decode(),
                "From": "+15005550006",
                "Body": _BODY,
                "StatusCallback": f"https://warn.example/receipts/twilio/status?attempt=tag-{job.id}-1",
                "ValidityPeriod": "3600",
            }
            async with session.post(url + _PATH, data=form) as answer:
                assert (await answer.json())["sid"]

        began = perf_counter()
        await worker.run(batch_size=_BATCH, mode=QueueExecutionMode.drain)
        took = perf_counter() - began
    await conn.close()
    return took


if __name__ == "__main__":
    print(asyncio.run(_drain(sys.argv[1], sys.argv[2], int(sys.argv[3]))))  # noqa: T201 - its answer
