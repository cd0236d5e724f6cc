"""Sending against a server that fails in every way servers do; what had left and what had not is never mixed up."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP

from tests.fakes.email import settings
from tests.fakes.email_channel import Post, post, running
from tests.fakes.email_server import At, Fault, Server, always, cutting, hanging, running_server
from tests.waiting import until
from warnd.channel import NOT_STARTED, Accepted, Failed, Unknown


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running_server(tmp_path) as running_one:
        yield running_one


@pytest.fixture
async def mailer(server: Server, tmp_path: Path) -> AsyncIterator[Post]:
    async with running(post(tmp_path, settings(server, tmp_path, timeout_s=0.5, connections=2))) as one:
        yield one


async def test_what_arrives_is_what_was_meant(mailer: Post, server: Server) -> None:
    first, second = mailer.outgoing(), mailer.outgoing("wang@village.example")
    outcomes = await mailer.send(first, second)
    taken = {one.recipient: one for one in server.taken}
    assert set(taken) == {"li@village.example", "wang@village.example"}
    for outgoing, outcome in zip((first, second), outcomes, strict=True):
        one = taken[outgoing.address]
        body = one.mail.get_body(("plain",))
        assert body is not None
        assert outgoing.answer_url is not None
        assert outgoing.answer_url in body.get_content()
        assert isinstance(outcome, Accepted)
        assert outcome.reference == one.mail["Message-ID"]
        assert outgoing.attempt in one.sender
        assert one.sender.startswith("bounce+")
        assert one.mail["To"].addresses[0].addr_spec == outgoing.address


@pytest.mark.parametrize(
    ("at", "answer", "outcome"),
    [
        ("RCPT", "550 5.1.1 No such user", Failed("550 5.1.1 No such user", retry="permanent")),
        ("RCPT", "450 4.2.0 Greylisted", Failed("450 4.2.0 Greylisted", retry_after_s=300)),
        ("RCPT", "452 4.3.1 Disk full", Failed("452 4.3.1 Disk full", retry="throttled", retry_after_s=60)),
        ("RCPT", "421 4.4.2 Bye", Failed("421 4.4.2 Bye")),
        ("MAIL", "550 5.7.1 Sender refused", Failed("550 5.7.1 Sender refused", retry_after_s=60)),
        ("DATA", "451 4.3.0 Not now", Failed("451 4.3.0 Not now")),
        ("END", "552 5.2.2 Mailbox full", Failed("552 5.2.2 Mailbox full", retry="permanent")),
        ("END", "554 5.7.1 Looks like spam", Failed("554 5.7.1 Looks like spam", retry="permanent")),
        ("END", "451 4.3.0 Not now", Failed("451 4.3.0 Not now")),
    ],
)
async def test_a_refusal_is_about_one_mail_and_the_connection_goes_on(
    mailer: Post, server: Server, at: At, *, answer: str, outcome: Failed
) -> None:
    server.faults[at] = always(answer)
    assert await mailer.send(mailer.outgoing()) == [outcome]
    server.faults.clear()
    assert isinstance((await mailer.send(mailer.outgoing()))[0], Accepted)
    assert len(server.taken) == 1


async def test_each_recipient_has_its_own_answer(mailer: Post, server: Server) -> None:
    async def fault(_smtp: SMTP, address: str) -> str | None:
        return {"a": "550 5.1.1 Gone", "b": "450 4.2.0 Wait"}.get(address[0])

    server.faults["RCPT"] = fault
    outcomes = await mailer.send(*[mailer.outgoing(f"{letter}@village.example") for letter in "abcab"])
    assert [isinstance(each, Accepted) for each in outcomes] == [False, False, True, False, False]
    assert [each.retry for each in outcomes if isinstance(each, Failed)] == ["permanent", "transient"] * 2


async def test_greylisting_lets_the_second_try_through(mailer: Post, server: Server) -> None:
    seen: set[str] = set()

    async def fault(_smtp: SMTP, address: str) -> str | None:
        new = address not in seen
        seen.add(address)
        return "450 4.2.0 Greylisted, try again in 240 seconds" if new else None

    server.faults["RCPT"] = fault
    (first,) = await mailer.send(mailer.outgoing())
    assert isinstance(first, Failed)
    assert (first.retry, first.retry_after_s) == ("transient", 240)
    assert isinstance((await mailer.send(mailer.outgoing()))[0], Accepted)


@pytest.mark.parametrize("fault", [cutting(), hanging(), None], ids=["cut", "hang", "garbage"])
@pytest.mark.parametrize("at", ["MAIL", "RCPT", "DATA", "END"])
async def test_before_the_last_dot_nothing_left_and_after_it_nobody_knows(
    mailer: Post, server: Server, at: At, *, fault: Fault | None
) -> None:
    server.faults[at] = fault or always("what is this")
    (outcome,) = await mailer.send(mailer.outgoing())
    if at == "END":
        assert isinstance(outcome, Unknown)
    else:
        assert isinstance(outcome, Failed)
        assert outcome.retry == "transient"
    taken = len(server.taken)
    server.faults.clear()
    await until(lambda: mailer.channel.problem() is None)
    assert isinstance((await mailer.send(mailer.outgoing()))[0], Accepted)
    assert len(server.taken) == taken + 1


async def test_a_goodbye_in_the_middle_of_a_batch_costs_only_its_own_mail(mailer: Post, server: Server) -> None:
    async def fault(_smtp: SMTP, address: str) -> str | None:
        return "421 4.3.2 Too many mails in one session" if address.startswith("li3") else None

    server.faults["RCPT"] = fault
    outcomes = await mailer.send(*[mailer.outgoing(f"li{number}@village.example") for number in range(20)])
    assert [index for index, each in enumerate(outcomes) if not isinstance(each, Accepted)] == [3]
    assert len(server.taken) == 19


async def test_a_connection_that_was_lost_while_it_was_idle_is_not_used(mailer: Post, server: Server) -> None:
    server.cut()
    await until(lambda: mailer.channel.problem() is not None)
    assert isinstance((await mailer.send(mailer.outgoing()))[0], Failed)
    await until(lambda: mailer.channel.problem() is None)
    assert isinstance((await mailer.send(mailer.outgoing()))[0], Accepted)


async def test_what_waits_behind_a_server_that_hangs_is_not_started_when_its_time_has_passed(
    mailer: Post, server: Server
) -> None:
    server.faults["RCPT"] = hanging()
    soon = mailer.clock.monotonic() + 0.3
    outcomes = await mailer.send(*[mailer.outgoing(start_by=soon) for _ in range(6)])
    assert outcomes[2:] == [NOT_STARTED] * 4
    assert all(isinstance(each, Failed) and each != NOT_STARTED for each in outcomes[:2])
    assert server.taken == []


async def test_a_mail_under_way_when_warnd_ends_is_unknown(server: Server, tmp_path: Path) -> None:
    one = post(tmp_path, settings(server, tmp_path, timeout_s=20, connections=1))
    reached = asyncio.Event()

    async def fault(_smtp: SMTP, _address: str) -> str | None:
        reached.set()
        await asyncio.get_running_loop().create_future()
        return None

    server.faults["END"] = fault
    async with asyncio.TaskGroup() as group, running(one):
        sending = group.create_task(one.send(one.outgoing(), one.outgoing()))
        await reached.wait()
    outcomes = sending.result()
    assert isinstance(outcomes[0], Unknown)
    assert isinstance(outcomes[1], Failed), "it never began"


@pytest.mark.parametrize("address", ["", "no address", "li@village.example\r\nRCPT TO:<x@y.example>"])
async def test_an_address_that_cannot_be_written_fails_for_good_and_harms_nobody(
    mailer: Post, server: Server, address: str
) -> None:
    bad, good = await mailer.send(mailer.outgoing(address), mailer.outgoing())
    assert isinstance(bad, Failed)
    assert bad.retry == "permanent"
    assert isinstance(good, Accepted)
    assert [one.recipient for one in server.taken] == ["li@village.example"]


async def test_an_address_in_other_letters_goes_where_the_server_carries_it(mailer: Post, server: Server) -> None:
    assert isinstance((await mailer.send(mailer.outgoing("李@村.example")))[0], Accepted)
    (one,) = server.taken
    assert one.recipient == "李@xn--brv.example"
    assert "SMTPUTF8" in one.options
    assert "李@xn--brv.example".encode() in one.raw


async def test_an_address_in_other_letters_is_refused_where_the_server_does_not_carry_it(tmp_path: Path) -> None:
    async with (
        running_server(tmp_path, international=False) as server,
        running(post(tmp_path, settings(server, tmp_path))) as one,
    ):
        refused, idna = await one.send(one.outgoing("李@village.example"), one.outgoing("li@村.example"))
    assert isinstance(refused, Failed)
    assert (refused.retry, "SMTPUTF8" in refused.reason) == ("permanent", True)
    assert isinstance(idna, Accepted)


async def test_a_text_that_cannot_be_made_into_a_mail_ends_no_connection(mailer: Post) -> None:
    broken = replace(mailer.outgoing(), texts=())
    bad, good = await mailer.send(broken, mailer.outgoing())
    assert isinstance(bad, Failed)
    assert isinstance(good, Accepted)


async def test_no_notices_are_asked_for_where_nobody_reads_them(server: Server, tmp_path: Path) -> None:
    """The server offers no DSN and answers 555 to its words, so that a mail with them would not arrive."""
    toml = "\n".join(line for line in settings(server, tmp_path).splitlines() if "bounce" not in line)
    async with running(post(tmp_path, toml)) as one:
        assert isinstance((await one.send(one.outgoing()))[0], Accepted)
    assert server.taken[0].sender == "warn@county.example"
    assert server.taken[0].mail["Message-ID"] == "<a3b35babb0-0-1@county.example>"
    assert "Reply-To" not in server.taken[0].mail


async def test_a_server_that_comes_back_is_used_again(mailer: Post, server: Server) -> None:
    await server.stop()
    await until(lambda: mailer.channel.problem() is not None)
    await until(lambda: "does not listen" in (mailer.channel.problem() or ""))
    await server.start()
    await until(lambda: mailer.channel.problem() is None)
    assert isinstance((await mailer.send(mailer.outgoing()))[0], Accepted)
