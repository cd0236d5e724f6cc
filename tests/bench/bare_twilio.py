"""The loop that a script would write: texts by the library's own asynchronous client, `gather` over a window. Prints its seconds.

Run as a program: bare_twilio.py URL COUNT WINDOW
"""

import asyncio
import sys
import warnings
from time import perf_counter

from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

_BODY = "【清河预警】洪水红色预警：清河县。请立即转移到高处。"
_ACCOUNT = "AC" + "0" * 32


async def _loop(url: str, *, count: int, window: int) -> float:
    async with AsyncTwilioHttpClient() as http:
        client = Client(_ACCOUNT, "token", http_client=http, environment={"TWILIO": "bench"})
        client.api.base_url = url
        began = perf_counter()
        for start in range(0, count, window):
            await asyncio.gather(*[_post(client, number) for number in range(start, min(count, start + window))])
        return perf_counter() - began


async def _post(client: Client, number: int) -> None:
    message = await client.messages.create_async(
        to=f"+86130{number:08d}",
        from_="+15005550006",
        body=_BODY,
        status_callback=f"https://warn.example/receipts/twilio/status?attempt=tag-{number}-1",
        validity_period=3600,
    )
    assert message.sid


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)  # Two for each call of the library's own client.
    print(asyncio.run(_loop(sys.argv[1], count=int(sys.argv[2]), window=int(sys.argv[3]))))  # noqa: T201 - its answer
