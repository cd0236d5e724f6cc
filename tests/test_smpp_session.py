"""The SMPP gateway against a message centre that misbehaves as real ones do."""

import asyncio
import dataclasses
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import smpp34

from channels.sms.gateway import Gateway
from channels.sms.smpp.session import Session
from channels.sms.smpp.statuses import STATUSES, name_of
from tests.fakes.certificate import write_certificate
from tests.fakes.manual_clock import ManualClock
from tests.fakes.message_centre import (
    BIND_TRANSCEIVER,
    BIND_TRANSMITTER,
    ENQUIRE,
    NACK,
    RESPONSE,
    UNBIND,
    Centre,
    Submitted,
    listening,
)
from tests.fakes.texting import LONG, Door, gateway, running, sent, text_to, texts_to
from tests.waiting import until
from warnd.channel import NOT_STARTED, Accepted, Failed, Reply, Report, Unknown
from warnd.clock import SystemClock
from warnd.model.evidence import Evidence
from warnd.settings import load
from warnd.settings.sections.sms_smpp import SmsSmpp

Answer = Callable[[Centre, Submitted], None]
PHONE = "+8613800000001"


def toml(centre: Centre, folder: Path, more: str = "") -> str:
    (folder / "password").write_text("secret\n")
    return (
        '[sms]\nprovider = "smpp"\n[sms.smpp]\nhost = "127.0.0.1"\nsystem_id = "county"\npassword_file = "password"\n'
        f'source = "10690000"\nport = {centre.port}\ntimeout_s = 0.4\n{more}'
    )


def _section(folder: Path) -> SmsSmpp:
    (folder / "warnd.toml").write_text(toml(Centre(port=1), folder))
    sms = load(folder / "warnd.toml", {}).sms
    assert sms is not None
    assert sms.smpp is not None
    return sms.smpp


@asynccontextmanager
async def at_work(
    folder: Path, more: str = "", door: Door | None = None
) -> AsyncIterator[tuple[Centre, Gateway, Door]]:
    async with listening(Centre()) as centre:
        through = gateway(toml(centre, folder, more), folder)
        async with running(through, door) as opened:
            yield centre, through, opened


async def test_it_binds_once_as_transceiver_and_unbinds(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (centre, through, _):
        assert (await sent(through, [text_to(PHONE)])) == [Accepted("smpp:id2")]
    assert centre.binds == [(BIND_TRANSCEIVER, b"county\0secret\0\0\x34\0\0\0")]
    assert centre.commands[-1] == UNBIND
    pdu = centre.submitted[0].pdu
    assert (pdu.destination_addr, pdu.dest_addr_ton, pdu.dest_addr_npi) == ("8613800000001", 1, 1)
    assert (pdu.source_addr, pdu.registered_delivery, pdu.data_coding, pdu.esm_class) == ("10690000", 1, 8, 0)
    assert pdu.validity_period in {"000000010000000R", "000000005959000R"}


async def test_a_long_text_goes_out_whole_and_in_order_while_others_go_out_too(tmp_path: Path) -> None:
    async with at_work(tmp_path, "window = 2\n") as (centre, through, _):
        outcomes = await sent(through, texts_to(10, LONG))
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    headers = [one.pdu.short_message[:6] for one in centre.submitted]
    assert [header[5] for header in headers] == [1, 2, 3] * 10
    assert len({header[3] for header in headers}) == 10
    assert {
        (one.pdu.esm_class, header[:3], header[4]) for one, header in zip(centre.submitted, headers, strict=True)
    } == {(0x40, b"\x05\x00\x03", 3)}


async def test_no_more_than_the_window_is_without_an_answer(tmp_path: Path) -> None:
    waiting: list[Submitted] = []
    async with at_work(tmp_path, "window = 5\n") as (centre, through, _):
        centre.on_submit = lambda _, one: waiting.append(one)
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(sent(through, texts_to(12)))
            answered = 0
            while answered < 12:
                await until(lambda: len(waiting) > answered)  # noqa: B023 - asked before it moves on
                assert len(waiting) - answered <= 5
                centre.answer(waiting[answered])
                answered += 1
        assert all(isinstance(outcome, Accepted) for outcome in sending.result())


async def test_every_status_of_the_table_and_any_other_means_not_taken(tmp_path: Path) -> None:
    statuses = [*STATUSES, 0x10, 0x400, 0x4FF, 0xFFFFFFFF]
    async with at_work(tmp_path, "throttled_s = 0.000000001\n") as (centre, through, _):
        for status in statuses:
            centre.on_submit = lambda centre, one: centre.answer(one, status=status)  # noqa: B023 - used before the next
            (outcome,) = await sent(through, [text_to(PHONE)])
            assert isinstance(outcome, Failed)
            assert (outcome.reason, outcome.retry) == (name_of(status), STATUSES.get(status, ("", "transient"))[1])
    assert len(centre.submitted) == len(statuses)


STATUS_OUTCOMES = {
    0x0B: Failed("ESME_RINVDSTADR (0x0B)", retry="permanent"),
    0x08: Failed("ESME_RSYSERR (0x08)"),
    0x0E: Failed("ESME_RINVPASWD (0x0E)"),
    0x451: Failed("status 0x451"),
}


@pytest.mark.parametrize(("status", "outcome"), STATUS_OUTCOMES.items())
async def test_a_refused_part_fails_with_its_status(tmp_path: Path, status: int, outcome: Failed) -> None:
    async with at_work(tmp_path) as (centre, through, _):
        centre.on_submit = lambda centre, one: centre.answer(one, status=status)
        assert await sent(through, [text_to(PHONE)]) == [outcome]


async def test_a_nack_is_a_refusal_too(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (centre, through, _):
        centre.on_submit = lambda centre, one: centre.write(NACK, one.sequence, status=0x02)
        assert await sent(through, [text_to(PHONE)]) == [Failed("ESME_RINVCMDLEN (0x02)")]


@pytest.mark.parametrize("status", [0x14, 0x58])
async def test_too_fast_pauses_everything_for_a_moment_and_asks_nobody_meanwhile(tmp_path: Path, status: int) -> None:
    clock = ManualClock()
    async with listening(Centre()) as centre:
        through = gateway(toml(centre, tmp_path, "throttled_s = 2\nenquire_link_s = 600\n"), tmp_path, clock=clock)
        async with running(through):
            centre.on_submit = lambda centre, one: centre.answer(one, status=status)
            (first,) = await sent(through, [text_to(PHONE, now=clock.now())])
            assert isinstance(first, Failed)
            assert (first.retry, first.reason) == ("throttled", name_of(status))
            centre.on_submit = None
            await clock.advance(1.9)
            (second,) = await sent(through, [text_to(PHONE, now=clock.now())])
            assert isinstance(second, Failed)
            assert second.retry == "throttled"
            assert second.retry_after_s == pytest.approx(0.1)
            assert len(centre.submitted) == 1
            await clock.advance(0.1)
            assert isinstance((await sent(through, [text_to(PHONE, now=clock.now())]))[0], Accepted)


def _second_part(do: Answer) -> Answer:
    return lambda centre, one: do(centre, one) if one.pdu.short_message[5] == 2 else centre.answer(one)


async def test_a_long_text_with_a_refused_part_has_failed(tmp_path: Path) -> None:
    """No phone can show it whole, so another try is no repetition."""
    async with at_work(tmp_path) as (centre, through, _):
        centre.on_submit = _second_part(lambda centre, one: centre.answer(one, status=0x08))
        assert await sent(through, [text_to(PHONE, LONG)]) == [Failed("part 2 of 3: ESME_RSYSERR (0x08)")]


async def test_a_long_text_with_an_unanswered_part_is_unknown(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (centre, through, _):
        centre.on_submit = _second_part(lambda _centre, _one: None)
        assert await sent(through, [text_to(PHONE, LONG)]) == [Unknown("no answer within 0.4 s")]


async def test_what_was_under_way_when_the_line_broke_is_unknown_and_the_rest_never_left(tmp_path: Path) -> None:
    async with at_work(tmp_path, "window = 4\n") as (centre, through, _):
        centre.on_submit = lambda centre, _: centre.cut() if len(centre.submitted) == 4 else None
        outcomes = await sent(through, texts_to(10))
        assert all(isinstance(outcome, Unknown) for outcome in outcomes[:4])
        assert all(isinstance(outcome, Failed) and outcome.retry == "transient" for outcome in outcomes[4:])
        assert len(centre.submitted) == 4


async def test_it_binds_again_after_a_break(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (centre, through, _):
        centre.cut()
        await until(lambda: len(centre.binds) == 2)
        await until(lambda: through.problem() is None)
        assert isinstance((await sent(through, [text_to(PHONE)]))[0], Accepted)


async def test_a_long_text_cut_in_its_middle_has_failed(tmp_path: Path) -> None:
    async with at_work(tmp_path, "window = 1\n") as (centre, through, _):
        centre.on_submit = lambda centre, one: centre.answer(one) if one.pdu.short_message[5] == 1 else centre.cut()
        (outcome,) = await sent(through, [text_to(PHONE, LONG)])
    assert outcome == Failed("partial: 1 of 3 parts never left")


async def test_garbage_ends_the_connection_and_costs_nothing_else(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (centre, through, _):
        assert centre.writer is not None
        centre.writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await until(lambda: len(centre.binds) == 2)
        await until(lambda: through.problem() is None)


async def test_unknown_commands_are_nacked_and_a_broken_deliver_sm_is_refused(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (centre, through, door):
        centre.write(0x103, 7, body=b"\0")
        centre.write(0x05, 8, body=b"\xff" * 5)
        await until(lambda: NACK in centre.commands and centre.told)
        assert centre.told[0] != 0
        assert through.problem() is None
    assert door.committed == []


async def test_one_that_asks_and_asks_and_never_reads_is_left(tmp_path: Path) -> None:
    section = _section(tmp_path)
    near, far = socket.socketpair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    reader, writer = await asyncio.open_connection(sock=near)
    _, asking = await asyncio.open_connection(sock=far)
    asking.transport.pause_reading()  # type: ignore[attr-defined]  # typed as what only writes
    asking.write(struct.pack(">IIII", 16, ENQUIRE, 0, 1) * 60_000)
    session = Session(reader, writer, section=section, clock=SystemClock())

    async def nobody(_pdu: smpp34.DeliverSm) -> bool:
        return False

    assert await asyncio.wait_for(session.run(nobody), 5) == "the message centre does not read"
    asking.transport.abort()


async def test_an_id_as_long_as_a_frame_is_not_kept_whole(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (centre, through, _):
        centre.on_submit = lambda centre, one: centre.answer(one, message_id="7" * 100_000)
        assert await sent(through, [text_to(PHONE)]) == [Accepted("smpp:" + "7" * 65)]


async def test_a_silent_message_centre_is_asked_and_given_up(tmp_path: Path) -> None:
    async with at_work(tmp_path, "enquire_link_s = 0.05\n") as (centre, _, _door):
        await until(lambda: centre.commands.count(ENQUIRE) > 2)
        assert len(centre.binds) == 1
        centre.answers_enquiries = False
        await until(lambda: len(centre.binds) == 2)


async def test_its_own_enquiries_are_answered_and_its_unbind_is_obeyed(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (centre, _, _door):
        centre.write(ENQUIRE, 5)
        await until(lambda: ENQUIRE | RESPONSE in centre.commands)
        centre.write(UNBIND, 6)
        await until(lambda: UNBIND | RESPONSE in centre.commands and len(centre.binds) == 2)


async def test_no_part_begins_for_a_try_whose_time_is_over(tmp_path: Path) -> None:
    async with at_work(tmp_path, "window = 1\n") as (centre, through, _):
        centre.on_submit = lambda _centre, _one: None
        late = dataclasses.replace(text_to("+8613800000002"), start_by=asyncio.get_running_loop().time() + 0.1)
        outcomes = await sent(through, [text_to(PHONE), late])
    assert outcomes == [Unknown("no answer within 0.4 s"), NOT_STARTED]
    assert len(centre.submitted) == 1


REFUSALS = {
    0x0E: "password_file",
    0x0F: "system_id",
    0x05: "bound already",
    0x0D: "system_type",
    0x58: "too often",
    0x99: "0x99",
}


@pytest.mark.parametrize(("status", "word"), REFUSALS.items())
async def test_a_refused_bind_is_named_by_problem_and_probe(tmp_path: Path, status: int, word: str) -> None:
    async with listening(Centre(bind_status=status)) as centre, asyncio.TaskGroup() as tasks:
        through = gateway(toml(centre, tmp_path), tmp_path)
        (finding,) = await through.probe()
        assert word in (finding.wrong or finding.told)
        assert (finding.wrong is None) == (status == 0x05)
        task = tasks.create_task(through.run(Door()))
        await until(lambda: word in (through.problem() or ""))
        (outcome,) = await sent(through, [text_to(PHONE)])
        assert isinstance(outcome, Failed)
        task.cancel()


async def test_the_probe_binds_without_taking_anybodys_receipts(tmp_path: Path) -> None:
    async with listening(Centre()) as centre:
        (finding,) = await gateway(toml(centre, tmp_path), tmp_path).probe()
        assert finding.wrong is None
        await until(lambda: UNBIND in centre.commands)
    assert [command for command, _ in centre.binds] == [BIND_TRANSMITTER]


async def test_the_probe_says_that_nobody_is_there_or_answers(tmp_path: Path) -> None:
    async with listening(Centre(bind_status=None)) as centre:
        through = gateway(toml(centre, tmp_path), tmp_path)
        assert "no answer to the bind" in ((await through.probe())[0].wrong or "")
    assert "cannot be reached: Connection refused" in ((await through.probe())[0].wrong or "")


async def test_over_tls_only_the_named_authority_is_trusted(tmp_path: Path) -> None:
    write_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    async with listening(Centre(), tls=context) as centre:
        through = gateway(toml(centre, tmp_path, 'tls = true\nca_file = "ca.crt"\n'), tmp_path)
        async with running(through):
            assert isinstance((await sent(through, [text_to(PHONE)]))[0], Accepted)
        stranger = gateway(toml(centre, tmp_path, "tls = true\n"), tmp_path)
        assert "certificate is not trusted" in ((await stranger.probe())[0].wrong or "")


async def test_receipts_by_part_name_our_attempt_and_are_confirmed_after_the_commit(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (centre, through, door):
        await sent(through, [text_to(PHONE, LONG, attempt="x-7-1")])
        door.shut = True
        centre.receipt("id2")
        await until(lambda: centre.told == [0x64])
        door.shut = False
        for message_id, state in {"id2": "DELIVRD", "id3": "ACCEPTD", "id4": "UNDELIV"}.items():
            centre.receipt(message_id, state)
        await until(lambda: centre.told == [0x64, 0, 0, 0])
    delivered, failed = door.committed
    assert isinstance(delivered, Report)
    assert isinstance(failed, Report)
    assert (delivered.attempt, delivered.part, delivered.parts, delivered.evidence) == (
        "x-7-1",
        1,
        3,
        Evidence.DELIVERED,
    )
    assert (failed.attempt, failed.part, failed.parts, failed.failed, failed.reason) == (
        "x-7-1",
        3,
        3,
        True,
        "UNDELIV 000",
    )
    assert delivered.at is not None
    assert delivered.at.isoformat() == "2026-07-03T07:31:12+00:00"


async def test_a_receipt_that_comes_before_the_answer_finds_its_part(tmp_path: Path) -> None:
    def early(centre: Centre, one: Submitted) -> None:
        centre.receipt(f"id{one.sequence}")
        asyncio.get_running_loop().call_later(0.05, centre.answer, one)

    async with at_work(tmp_path) as (centre, through, door):
        centre.on_submit = early
        assert isinstance((await sent(through, [text_to(PHONE, LONG, attempt="x-7-1")]))[0], Accepted)
        await until(lambda: len(door.committed) == 3)
    assert sorted((one.attempt, one.part, one.parts) for one in door.committed if isinstance(one, Report)) == [
        ("x-7-1", part, 3) for part in (1, 2, 3)
    ]


async def test_an_answer_that_comes_too_late_still_tells_whose_the_receipt_is(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (centre, through, door):
        centre.on_submit = lambda _centre, _one: None
        assert isinstance((await sent(through, [text_to(PHONE, attempt="x-7-1")]))[0], Unknown)
        centre.answer(centre.submitted[0], message_id="late")
        centre.receipt("late")
        await until(lambda: door.committed)
    (report,) = door.committed
    assert isinstance(report, Report)
    assert (report.attempt, report.part) == ("x-7-1", None)


async def test_after_a_restart_one_part_is_matched_by_reference_and_long_texts_by_the_file(tmp_path: Path) -> None:
    more = 'parts_file = "parts"\n'
    async with at_work(tmp_path, more) as (_, through, _door):
        short, long = await sent(through, [text_to(PHONE), text_to(PHONE, LONG, attempt="x-7-1")])
    assert (short, long) == (Accepted("smpp:id2"), Accepted("smpp:id3+2"))
    async with at_work(tmp_path, more) as (centre, _, door):
        for message_id in ("id2", "id3", "id5"):
            centre.receipt(message_id)
        await until(lambda: len(door.committed) == 3)
    told = [
        (one.attempt, one.reference, one.address, one.part, one.parts)
        for one in door.committed
        if isinstance(one, Report)
    ]
    assert told == [(None, "smpp:id2", None, None, None), ("x-7-1", None, None, 1, 3), ("x-7-1", None, None, 3, 3)]


async def test_without_the_file_no_part_is_taken_for_the_whole_text(tmp_path: Path) -> None:
    """The reference of a long text is no part's id, so the ledger keeps the receipt and lets it prove nothing."""
    async with at_work(tmp_path) as (_, through, _door):
        (accepted,) = await sent(through, [text_to(PHONE, LONG)])
    async with at_work(tmp_path) as (centre, _, door):
        centre.receipt("id2")
        await until(lambda: door.committed)
    (report,) = door.committed
    assert isinstance(report, Report)
    assert isinstance(accepted, Accepted)
    assert report.reference != accepted.reference


async def test_what_people_write_is_a_reply(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (centre, _, door):
        centre.deliver("收到".encode("utf-16-be"), data_coding=8)
        centre.deliver(b"1", source="13800000002", source_addr_ton=2)
        centre.deliver(b"\x05\x00\x03\x01\x02\x01ok", esm_class=0x40, source="008613800000003", source_addr_ton=0)
        await until(lambda: len(door.committed) == 3)
    assert [(one.address, one.text) for one in door.committed if isinstance(one, Reply)] == [
        (PHONE, "收到"),
        ("+8613800000002", "1"),
        ("+8613800000003", "ok"),
    ]
