"""The whole way over real servers: postfix takes, delivers and returns; dovecot holds the mailbox in which the bounces arrive."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from email import message_from_bytes
from pathlib import Path

import pytest

from channels.email.bags import MAIL_MAX_BYTES
from channels.email.verp import Tokens, verp
from tests.fakes.email import SECRET
from tests.fakes.email_bounces import answer, bounce, put
from tests.fakes.email_channel import Post, post, running
from tests.fakes.email_dovecot import Dovecot, needs_dovecot, running_dovecot
from tests.fakes.email_postfix import OWNER, Postfix, needs_postfix, running_postfix
from tests.waiting import until as _until
from warnd.channel import Accepted, Failed, Reply, Report
from warnd.model.evidence import Evidence

pytestmark = [needs_postfix, needs_dovecot]

BOX = "bounce@county.example"


async def until(condition: Callable[[], object]) -> None:
    """Wait as `tests.waiting.until` does, but longer: three servers and many processes take part, on a machine that may be busy."""
    await _until(condition, timeout_s=45)


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with running_postfix() as one:
        yield one


@pytest.fixture(scope="module")
def dovecot(postfix: Postfix) -> Iterator[Dovecot]:
    with running_dovecot(postfix.maildir(BOX)) as one:
        yield one


def toml(postfix: Postfix, folder: Path, more: str) -> str:
    (folder / "secret").write_text(SECRET)
    lines = ["[email]", 'host = "127.0.0.1"', f"port = {postfix.port}", f'ca_file = "{postfix.folder}/ca.crt"']
    lines += ['sender = "warn@county.example"', 'sender_name = "清河县预警中心"', "connections = 2", "timeout_s = 10"]
    return "\n".join([*lines, f'bounce_address = "{BOX}"', 'bounce_secret_file = "secret"', more, ""])


@pytest.fixture
def mailer(postfix: Postfix, dovecot: Dovecot, tmp_path: Path) -> Post:
    for path in postfix.maildir(BOX).rglob("*"):
        if path.is_file():
            path.unlink()
    return post(tmp_path, toml(postfix, tmp_path, dovecot.settings(tmp_path)))


def box(postfix: Postfix) -> list[Path]:
    """Return the mails that lie in the bounce mailbox, whoever has looked at them."""
    return [path for part in ("new", "cur") for path in (postfix.maildir(BOX) / part).glob("*")]


async def test_a_mail_arrives_whole_and_its_arrival_is_proved(mailer: Post, postfix: Postfix) -> None:
    async with running(mailer):
        outgoing = mailer.outgoing()
        (outcome,) = await mailer.send(outgoing)
        assert isinstance(outcome, Accepted)
        await until(lambda: mailer.brought)
    (report,) = mailer.brought
    assert isinstance(report, Report)
    assert (report.attempt, report.evidence, report.failed) == (outgoing.attempt, Evidence.DELIVERED, False)
    mail = next(each for each in postfix.parsed("li@village.example") if each["Message-ID"] == outcome.reference)
    assert mail["Subject"] == "洪水红色预警：柳河镇"
    assert mail["X-Original-To"] == "li@village.example"
    plain, rich = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert rich is not None
    assert outgoing.answer_url is not None
    assert plain.get_content() == outgoing.texts[0].text.replace("https://answer.invalid/", outgoing.answer_url)
    assert rich.get_content().strip() == outgoing.texts[0].html.replace("https://answer.invalid/", outgoing.answer_url)
    (attached,) = mail.iter_attachments()
    assert attached.get_payload(decode=True) == outgoing.message.document
    await until(lambda: not box(postfix))


async def test_a_mail_to_nobody_comes_back_as_a_failure(mailer: Post, postfix: Postfix) -> None:
    async with running(mailer):
        outgoing = mailer.outgoing("nobody@village.example")
        assert isinstance((await mailer.send(outgoing))[0], Accepted), "the server took it, and found out later"
        await until(lambda: mailer.brought)
        await until(lambda: not box(postfix))
    (report,) = mailer.brought
    assert isinstance(report, Report)
    assert (report.attempt, report.evidence, report.failed) == (outgoing.attempt, Evidence.NONE, True)
    assert report.reason is not None
    assert report.reason.startswith("5.1.1 unknown user")


async def test_a_mail_that_goes_on_to_where_nobody_tells_proves_no_arrival(mailer: Post) -> None:
    async with running(mailer):
        await mailer.send(mailer.outgoing("li@elsewhere.example"))
        await until(lambda: mailer.brought)
    (report,) = mailer.brought
    assert isinstance(report, Report)
    assert report.evidence < Evidence.DELIVERED


async def test_a_refusal_at_once_is_an_outcome(mailer: Post) -> None:
    async with running(mailer):
        (outcome,) = await mailer.send(mailer.outgoing("refused@village.example"))
    assert isinstance(outcome, Failed)
    assert outcome.retry == "permanent"
    assert outcome.reason.startswith("554 5.7.1")


async def test_many_mails_arrive_each_once(mailer: Post, postfix: Postfix) -> None:
    before = len(postfix.mails("wang@village.example"))
    async with running(mailer):
        outcomes = await mailer.send(*[mailer.outgoing("wang@village.example") for _ in range(40)])
        assert {type(each) for each in outcomes} == {Accepted}
        await until(lambda: len(mailer.brought) == 40)
    assert len(postfix.mails("wang@village.example")) == before + 40
    assert len({each.attempt for each in mailer.brought if isinstance(each, Report)}) == 40


async def test_both_servers_are_probed(mailer: Post) -> None:
    server, mailbox = await mailer.channel.probe()
    assert (server.wrong, server.told) == (None, "TLSv1.3, delivery notifications")
    assert (mailbox.wrong, mailbox.told) == (None, "mails waiting: 0")


def deliver(postfix: Postfix, raw: bytes) -> None:
    """Put a mail into the mailbox as postfix would."""
    os.chown(put(postfix.maildir(BOX), raw), OWNER, OWNER)


def true_bounce() -> bytes:
    return bounce(to=verp(BOX, Tokens(SECRET.encode()).token("a3b35babb0-7-1")))


async def test_a_report_stays_in_the_mailbox_until_the_ledger_has_it(mailer: Post, postfix: Postfix) -> None:
    mailer.failures = 2
    deliver(postfix, true_bounce())
    async with running(mailer):
        await until(lambda: mailer.failures < 2)
        assert len(box(postfix)) == 1
        await until(lambda: mailer.brought)
        await until(lambda: not box(postfix))
    assert mailer.failures == 0


async def test_answers_and_rubbish_are_kept_flagged_and_machines_are_not(mailer: Post, postfix: Postfix) -> None:
    forged = bounce(to=f"{BOX.replace('@', '+a3b35babb0-7-1.aaaaaaaaaaaaaaaa@')}", action="delivered")
    for raw in (answer("收到，马上转移"), forged, answer("Out of office", Auto_Submitted="auto-replied")):
        deliver(postfix, raw)
    async with running(mailer):
        await until(lambda: len(box(postfix)) == 2 and all(path.name.endswith(":2,FS") for path in box(postfix)))
    (reply,) = mailer.brought
    assert isinstance(reply, Reply)
    assert reply.text == "Subject: Re: flood\n收到，马上转移"
    kept = {str(message_from_bytes(path.read_bytes())["Subject"]) for path in box(postfix)}
    assert kept == {"Re: flood", "Delivery report"}


async def test_a_mail_larger_than_what_is_read_is_settled_all_the_same(mailer: Post, postfix: Postfix) -> None:
    deliver(postfix, true_bounce() + b"\r\n" + b"x" * 70 * (MAIL_MAX_BYTES // 70))
    async with running(mailer):
        await until(lambda: mailer.brought)
        await until(lambda: not box(postfix))


async def test_a_server_of_few_words_is_read_too(postfix: Postfix, tmp_path: Path) -> None:
    """Without UIDPLUS, a removed mail goes with all that are marked so."""
    with running_dovecot(postfix.maildir(BOX), more="imap_capability = IMAP4rev1\n") as few:
        one = post(tmp_path, toml(postfix, tmp_path, few.settings(tmp_path)))
        deliver(postfix, true_bounce())
        async with running(one):
            await until(lambda: one.brought)
            await until(lambda: not box(postfix))


@pytest.fixture
async def looking(mailer: Post) -> AsyncIterator[Post]:
    async with running(mailer):
        yield mailer


async def test_a_mailbox_that_goes_and_comes_back_is_read_again_and_keeps_no_mail_from_leaving(
    looking: Post, postfix: Postfix, dovecot: Dovecot
) -> None:
    dovecot.stop()
    deliver(postfix, true_bounce())
    collector = looking.channel._collector
    await until(lambda: collector.trouble is not None)
    trouble = looking.channel.problem()
    told = looking.channel.degraded()
    dovecot.start()
    assert trouble is None
    assert told is not None
    assert "bounces are not read" in told
    await until(lambda: looking.brought)


@pytest.mark.parametrize("tls", ["implicit", "start"])
async def test_a_wrong_password_of_the_mailbox_is_told(
    postfix: Postfix, dovecot: Dovecot, tmp_path: Path, tls: str
) -> None:
    one = post(tmp_path, toml(postfix, tmp_path, dovecot.settings(tmp_path, tls=tls)))
    assert (await one.channel.probe())[1].wrong is None
    (tmp_path / "imap-password").write_text("wrong")
    one = post(tmp_path, (tmp_path / "warnd.toml").read_text())
    wrong = (await one.channel.probe())[1].wrong
    assert wrong is not None
    assert "check username and password_file in [email.imap]" in wrong


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('ca_file = "{dovecot}/ca.crt"', 'ca_file = "{postfix}/ca.crt"', "cannot be reached"),
        ("port = {port}", "port = {free}", "nothing listens at"),
        ("poll_s = 0.2", 'folder = "Nowhere"', "has no folder Nowhere"),
    ],
)
async def test_whatever_keeps_the_mailbox_from_being_read_is_told(
    postfix: Postfix, dovecot: Dovecot, tmp_path: Path, *, old: str, new: str, words: str
) -> None:
    names = {"dovecot": dovecot.folder, "postfix": postfix.folder, "port": dovecot.tls_port, "free": 1}
    text = toml(postfix, tmp_path, dovecot.settings(tmp_path))
    head, imap = text.split("[email.imap]")
    changed = head + "[email.imap]" + imap.replace(old.format(**names), new.format(**names))
    wrong = (await post(tmp_path, changed).channel.probe())[1].wrong
    assert words in (wrong or "")


async def test_a_look_that_hangs_does_not_keep_warnd_from_ending(postfix: Postfix, tmp_path: Path) -> None:
    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await ending.wait()
        writer.close()

    connected, ending = asyncio.Event(), asyncio.Event()
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    (tmp_path / "imap-password").write_text("x")
    more = f'[email.imap]\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\nusername = "x"\npassword_file = "imap-password"\n'
    async with asyncio.timeout(5), running(post(tmp_path, toml(postfix, tmp_path, more))):
        await connected.wait()
    ending.set()
    server.close()
