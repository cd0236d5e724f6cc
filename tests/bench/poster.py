"""Posts ready-made requests over some connections, each the next one when it is answered: cheap, so that the server is what is measured.

Run as a program: poster.py PORT CONNECTIONS FILE. The file holds the requests, each after its length in four bytes. Prints JSON: seconds,
and the places of the requests that were answered with 2xx. It ends when all are answered, or when the server is gone.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter


class _Posting(asyncio.Protocol):
    def __init__(self, left: Iterator[tuple[int, bytes]], good: list[int]) -> None:
        self.over = asyncio.get_running_loop().create_future()
        self._left = left
        self._good = good
        self._came = bytearray()
        self._place = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._came += data
        end = self._came.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._came[:end]).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or b"0")
        if len(self._came) < end + 4 + length:
            return
        self._came.clear()
        if head.startswith(b"http/1.1 2"):
            self._good.append(self._place)
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol gives it
        if not self.over.done():
            self.over.set_result(None)

    def _next(self) -> None:
        found = next(self._left, None)
        if found is None:
            self._transport.close()
            return
        self._place, request = found
        self._transport.write(request)


def _requests(path: Path) -> list[bytes]:
    whole, at, found = path.read_bytes(), 0, []
    while at < len(whole):
        length = int.from_bytes(whole[at : at + 4])
        found.append(whole[at + 4 : at + 4 + length])
        at += 4 + length
    return found


async def _post(port: int, connections: int, requests: list[bytes]) -> None:
    left, good = iter(enumerate(requests)), list[int]()
    loop = asyncio.get_running_loop()
    began = perf_counter()
    made = [await loop.create_connection(lambda: _Posting(left, good), "127.0.0.1", port) for _ in range(connections)]
    await asyncio.gather(*[protocol.over for _, protocol in made])
    print(json.dumps({"seconds": perf_counter() - began, "good": good}))  # noqa: T201 - its answer


if __name__ == "__main__":
    asyncio.run(_post(int(sys.argv[1]), int(sys.argv[2]), _requests(Path(sys.argv[3]))))
