"""The demonstration's mail: taken by a server that a real client speaks to, answered by the link, over real HTTP."""

import asyncio
from email.message import EmailMessage
from pathlib import Path
from random import Random

import aiosmtplib

from tests.fakes.asked import asked
from tests.fakes.clock import HandClock
from tests.waiting import until
from warnd.cli.demo.mailboxes import Mailboxes, link_in
from warnd.model.evidence import Evidence
from warnd.web import bind, serve

READER, OTHER = "reader@chengchuan.example", "other@chengchuan.example"


def _mail(to: str, link: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "warn@chengchuan.example", to, "洪水红色预警"
    mail.set_content(f"请立即转移。\n.一行以点开头\n\nConfirm:\n{link}\n", cte="quoted-printable")
    mail.add_alternative(f'<a href="{link}">确认</a>', subtype="html")
    return mail


def test_the_link_of_a_mail_is_the_answer_link_and_no_other() -> None:
    link = "https://warn.qinghe.example/a/tag-1-1.abc_-DEF"
    assert link_in(_mail(READER, link).as_bytes()) == link
    assert link_in(_mail(READER, "https://warn.qinghe.example/w/1").as_bytes()) is None
    assert link_in(b"Subject: nothing\r\n\r\n") is None


async def test_whoever_reads_mail_presses_the_link_and_the_others_do_not(tmp_path: Path) -> None:
    async with asked(tmp_path) as one, asyncio.TaskGroup() as group:
        listening = bind("127.0.0.1", 0)
        started = asyncio.Event()
        serving = group.create_task(serve(one.built.daemon.app, listening=listening, started=started.set))
        await started.wait()
        link = f"http://127.0.0.1:{listening.getsockname()[1]}{one.path}"
        async with Mailboxes([READER], clock=HandClock(), random=Random(1)) as mailboxes:
            reading = group.create_task(mailboxes.run())
            await _send(mailboxes, _mail(OTHER, link))
            assert await one.evidence() == Evidence.ACCEPTED
            await _send(mailboxes, _mail(READER, link))
            await until(lambda: mailboxes.answered == 1)
            assert await one.evidence() == Evidence.ACKNOWLEDGED
            assert (mailboxes.taken, mailboxes.readers) == (2, 1)
            reading.cancel()
        serving.cancel()


async def _send(mailboxes: Mailboxes, mail: EmailMessage) -> None:
    await aiosmtplib.send(mail, hostname="127.0.0.1", port=mailboxes.port, start_tls=False, timeout=5)


async def test_a_line_that_breaks_in_a_mail_takes_nothing_and_leaves_the_server_well() -> None:
    async with Mailboxes([READER], clock=HandClock(), random=Random(1)) as mailboxes:
        for spoken in (b"EHLO x\r\nDATA\r\nhalf a ma", b"\xff" * 100_000, b""):
            reader, writer = await asyncio.open_connection("127.0.0.1", mailboxes.port)
            writer.write(spoken)
            writer.write_eof()
            await reader.read()
            writer.close()
        await _send(mailboxes, _mail(READER, "https://warn.example/a/x"))
        assert mailboxes.taken == 1
