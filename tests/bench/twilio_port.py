"""A port that answers every post of a text at once with a message of its own: run as a program, it prints its number."""

import asyncio
import json
from itertools import count

_SID = b"SM" + b"a" * 32
_BODY = json.dumps(
    {
        "sid": _SID.decode(),
        "account_sid": "AC" + "0" * 32,
        "to": "+8613800138000",
        "from": "+15005550006",
        "body": "【清河预警】洪水红色预警：柳河镇。立即上山。回复1确认",
        "status": "queued",
        "num_segments": "1",
        "date_created": "Fri, 03 Jul 2026 07:30:00 +0000",
        "date_updated": "Fri, 03 Jul 2026 07:30:00 +0000",
        "date_sent": None,
        "error_code": None,
        "subresource_uris": {"media": "/2010-04-01/Accounts/AC/Messages/SM/Media.json"},
    }
).encode()
_NUMBERS = count(1)
_ACCOUNT = json.dumps({"sid": "AC" + "0" * 32, "status": "active"}).encode()


class _Answering(asyncio.Protocol):
    """HTTP/1.1 with bodies of a known length, and no more of it than that."""

    def __init__(self) -> None:
        self._came = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._came += data
        while (end := self._came.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._came[:end]).lower()
            length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or b"0")
            if len(self._came) < end + 4 + length:
                return
            del self._came[: end + 4 + length]
            posted = head.startswith(b"post")
            status, body = (b"201 Created", _message()) if posted else (b"200 OK", _ACCOUNT)
            self._transport.write(
                b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                % (status, len(body), body)
            )


def _message() -> bytes:
    return _BODY.replace(_SID, b"SM%032x" % next(_NUMBERS), 1)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - whoever started it waits for the number
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
