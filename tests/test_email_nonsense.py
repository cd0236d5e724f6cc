"""Servers that say what nobody understands: every try has an outcome, and the channel lives on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

import pytest

from channels.email.bags import BagError, ImapBag
from channels.email.options import ImapOptions, ServerOptions
from channels.email.session import Envelope, connected
from channels.email.trouble import ServerTroubleError
from tests.fakes.email import SECRET
from tests.fakes.email_channel import post
from tests.waiting import until
from warnd.channel import Accepted, Failed, Unknown

SMTP_WORDS = (
    b"250 ok",
    b"250-ok",
    b"250",
    b"354 go on",
    b"220 hello",
    b"221 bye",
    b"421 bye",
    b"550 5.1.1 no",
    b"999 what",
    b"-1 what",
    b"\xff\xfe\x00",
    b"",
    b"250 STARTTLS",
    b"250-x\r\n250-AUTH PLAIN LOGIN\r\n250 DSN",
    b"2" * 9000,
    b"*",
    None,
)
IMAP_WORDS = (
    b"* OK hello",
    b"{tag} OK done",
    b"{tag} NO no",
    b"{tag} BAD bad",
    b"* BYE go",
    b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n{tag} OK done",
    b"* SEARCH 1 2 x\r\n{tag} OK done",
    b"* SEARCH \xff\r\n{tag} OK done",
    b"* 1 FETCH (UID 1 BODY[]<0> {5}\r\nhello)\r\n{tag} OK done",
    b"* 1 FETCH (UID 1 BODY[]<0> {99999999999}\r\n",
    b"* 1 FETCH\r\n{tag} OK done",
    b"+ go on",
    b"\xff\xfe\x00",
    b"x" * 5000,
    None,
)

Say = Callable[[bytes], bytes | None]


@asynccontextmanager
async def saying(say: Say, *, greeting: bytes) -> AsyncIterator[int]:
    """Run a server that answers each line with what `say` returns; None = it hangs up. Yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting + b"\r\n")
        try:
            while line := await reader.readline():
                answer = say(line)
                if answer is None:
                    break
                writer.write(answer + b"\r\n")
        except (ConnectionError, ValueError):
            return  # The other side had enough, or sent a line that is too long.
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.mark.parametrize("seed", range(150))
async def test_no_mail_server_breaks_a_session(seed: int) -> None:
    chance = Random(seed)
    polite = chance.randrange(12)  # So many answers make sense, so that the nonsense begins at every step.

    def say(_line: bytes) -> bytes | None:
        nonlocal polite
        polite -= 1
        return b"250 ok" if polite > 0 else chance.choice(SMTP_WORDS)

    async with saying(say, greeting=b"220 hello" if polite else chance.choice(SMTP_WORDS[:-1]) or b"x") as port:
        options = ServerOptions("127.0.0.1", port, "county.example", timeout_s=0.05)
        with suppress(ServerTroubleError):
            async with connected(options) as session:
                while session.alive:
                    envelope = Envelope("warn@county.example", "li@village.example", token="a", orcpt="rfc822;x")
                    outcome = await session.mail(envelope, b"Subject: x\r\n\r\nx\r\n.\r\n")
                    assert isinstance(outcome, Accepted | Failed | Unknown)


async def test_no_mailbox_breaks_the_channel(tmp_path: Path) -> None:
    chance = Random(7)
    looks = 0

    def say(line: bytes) -> bytes | None:
        nonlocal looks
        looks += 1
        tag = line.split(b" ")[0][:20]
        usual = {
            b"CAPA": b"* CAPABILITY IMAP4rev1\r\n{tag} OK done",
            b"SELE": b"* 1 EXISTS\r\n{tag} OK [READ-WRITE] done",
        }.get(line.split(b" ")[1][:4] if b" " in line else b"", b"{tag} OK done")
        chosen = usual if chance.random() < 0.7 else chance.choice(IMAP_WORDS)
        return None if chosen is None else chosen.replace(b"{tag}", tag)

    (tmp_path / "secret").write_text(SECRET)
    async with saying(say, greeting=b"* OK hello") as port:
        one = post(
            tmp_path,
            '[email]\nhost = "127.0.0.1"\nport = 1\nsender = "warn@county.example"\nbounce_secret_file = "secret"\ntimeout_s = 0.1\n'
            f'[email.imap]\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\nusername = "x"\npassword_file = "secret"\npoll_s = 0.2\n',
        )
        collector = one.channel._collector
        for _ in range(60):
            with suppress(BagError):
                await collector.once(one.sink)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.channel.run(one.sink))
            before = looks
            await until(lambda: looks > before)
            task.cancel()
    await asyncio.to_thread(collector._threads.shutdown)  # The last look leaves in its own thread.
    assert one.brought == []


@pytest.mark.parametrize("endless", [b"* 1 FETCH (UID 1 BODY[]<0> {99999999}\r\n", b"* OK " + b"x" * 900_000 + b"\r\n"])
async def test_a_mailbox_that_never_ends_is_left_before_it_fills_the_memory(endless: bytes) -> None:
    written = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"* OK hello\r\n")
        with suppress(ConnectionError):
            while line := await reader.readline():
                tag, verb = line.split()[:2]
                if verb == b"UID":
                    break
                writer.write(b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK done\r\n")
            writer.write(endless)
            while True:
                writer.write(endless)
                await writer.drain()
                written += len(endless)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        found = ImapBag(ImapOptions("127.0.0.1", port, "x", password="x", implicit=False))
        with pytest.raises(BagError, match="more than all its mails"):
            await asyncio.to_thread(found.open)
        await asyncio.to_thread(found.close)
    assert written < 100_000_000
