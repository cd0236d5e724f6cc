"""Mails by the channel against the bare client library, in the same run against the same server (postfix's smtp-sink)."""

import asyncio
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter

import aiosmtplib
import pytest

from channels.email.address import Mailbox
from channels.email.letter import date_of, draft
from tests.bench.conftest import Table
from tests.fakes.broker import program
from tests.fakes.email_channel import Post, post, running
from tests.ports import free_port
from warnd.channel import Accepted, Outgoing

pytestmark = [
    pytest.mark.bench,
    pytest.mark.skipif(program("smtp-sink") is None, reason="smtp-sink is not installed (apt install postfix)"),
]

COUNT = 4000
CONNECTIONS = 10
ROUNDS = 5
AIM = 0.85
LEAST_RATIO = 0.5  # The bare loop sends one ready mail again and again; the channel makes each for its reader.
SENDER = "warn@county.example"


@pytest.fixture
def port() -> Iterator[int]:
    path, chosen = program("smtp-sink"), free_port()
    assert path is not None
    sink = subprocess.Popen([path, "-u", "nobody", "-c", f"127.0.0.1:{chosen}", "1000"], stdout=subprocess.DEVNULL)
    give_up_at = monotonic() + 10
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", chosen), timeout=1):
            break
        assert monotonic() < give_up_at, "smtp-sink does not listen"
    yield chosen
    sink.terminate()
    sink.wait(10)


async def test_sending_keeps_up_with_the_bare_client_on_as_many_connections(
    port: int, tmp_path: Path, table: Table
) -> None:
    toml = f'[email]\nhost = "127.0.0.1"\nport = {port}\nstart_tls = false\nsender = "{SENDER}"\nconnections = {CONNECTIONS}\n'
    ours, bare = [], []
    async with running(post(tmp_path, toml)) as mailer:
        batch = [mailer.outgoing(f"li{number}@village.example") for number in range(COUNT)]
        ready = _one_mail(mailer, batch[0])
        for _ in range(ROUNDS):
            ours.append(await _channel(mailer, batch))
            bare.append(await _bare(port, batch, ready))
    ratios = [mine / plain for mine, plain in zip(ours, bare, strict=True)]
    ratio = median(ratios)
    table.add(f"mail, one body for its audience, {len(ready):,} bytes each", ours, aim="", met=None, unit="/s")
    table.add(f"  bare aiosmtplib on {CONNECTIONS} connections", bare, aim="", met=None, unit="/s")
    table.add("  ratio", ratios, aim=">= 0.85", met=ratio >= AIM)
    assert ratio >= LEAST_RATIO


def _one_mail(mailer: Post, outgoing: Outgoing) -> bytes:
    """Return a mail as the channel makes it, without the last dot, so that both send as many bytes."""
    made = draft(outgoing.message, outgoing.texts[0], mailer.channel._options, asks=True)
    to = Mailbox(outgoing.address, international=False)
    whole = made.letter(to, message_id="<a@b>", date=date_of(mailer.clock.now()), answer_url=outgoing.answer_url)
    return whole.removesuffix(b".\r\n")


async def _channel(mailer: Post, batch: list[Outgoing]) -> float:
    began = perf_counter()
    accepted = 0
    async for _, outcome in mailer.channel.send(batch):
        accepted += isinstance(outcome, Accepted)
    assert accepted == len(batch)
    return len(batch) / (perf_counter() - began)


async def _bare(port: int, batch: list[Outgoing], mail: bytes) -> float:
    """Send as a script would: as many clients, each taking the next address from one list."""
    left = iter(batch)
    clients = [aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) for _ in range(CONNECTIONS)]
    for client in clients:
        await client.connect()
        await client.ehlo()

    async def work(client: aiosmtplib.SMTP) -> None:
        for outgoing in left:
            await client.sendmail(SENDER, [outgoing.address], mail)

    began = perf_counter()
    await asyncio.gather(*[work(client) for client in clients])
    took = perf_counter() - began
    for client in clients:
        await client.quit()
    return len(batch) / took
