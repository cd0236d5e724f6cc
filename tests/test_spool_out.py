"""`out/`: one whole, durable file per attempt."""

import asyncio
import json
import os
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from channels.sms.spool import Spool
from tests.fakes.clock import START, HandClock
from tests.fakes.message import red_flood
from tests.waiting import until
from warnd.channel import NOT_STARTED, Accepted, Failed, Outcome, Outgoing, Receipt, Text, Unknown
from warnd.model.evidence import Evidence

MESSAGE = red_flood(START, name="w7", lives=timedelta(hours=6))


def spool(tmp_path: Path, *, clock: HandClock | None = None, timeout_s: float = 10.0) -> Spool:
    return Spool(tmp_path / "spool", clock=clock or HandClock(), random=random.Random(1), timeout_s=timeout_s)


def text(attempt: str = "a-1", to: str = "+8613800138000") -> Outgoing:
    return Outgoing(attempt, MESSAGE, "officer-1", to, (Text("zh", "【清河】洪水红色预警。回复1确认", segments=2),))


async def send(channel: Spool, batch: Sequence[Outgoing]) -> list[Outcome]:
    outcomes = dict([answer async for answer in channel.send(batch)])
    return [outcomes[index] for index in range(len(batch))]


def files(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "spool" / "out").iterdir())


async def test_a_text_is_one_file_with_everything_a_bridge_needs(tmp_path: Path) -> None:
    assert await send(spool(tmp_path), [text()]) == [Accepted("a-1.json")]
    assert files(tmp_path) == ["a-1.json"]
    assert json.loads((tmp_path / "spool" / "out" / "a-1.json").read_text("utf-8")) == {
        "attempt": "a-1",
        "to": "+8613800138000",
        "text": "【清河】洪水红色预警。回复1确认",
        "segments": 2,
        "message_id": "w7",
        "recipient": "officer-1",
        "kind": "warning",
    }


async def test_a_batch_longer_than_a_chunk_is_answered_one_by_one(tmp_path: Path) -> None:
    outcomes = await send(spool(tmp_path), [text(f"a-{number}") for number in range(123)])
    assert outcomes == [Accepted(f"a-{number}.json") for number in range(123)]
    assert len(files(tmp_path)) == 123


async def test_an_attempt_is_written_once_however_often_it_is_sent(tmp_path: Path) -> None:
    """After a crash between writing and recording the same attempt may come again; a bridge may have read the file already."""
    channel = spool(tmp_path)
    await send(channel, [text()])
    inode = (tmp_path / "spool" / "out" / "a-1.json").stat().st_ino
    assert await send(channel, [text(to="+8613900139000"), text()]) == [Accepted("a-1.json")] * 2
    assert (tmp_path / "spool" / "out" / "a-1.json").stat().st_ino == inode
    assert files(tmp_path) == ["a-1.json"]


async def test_what_a_crash_left_half_written_is_cleared_and_never_seen(tmp_path: Path) -> None:
    out = tmp_path / "spool" / "out"
    out.mkdir(parents=True)
    (out / ".a-1.json.tmp").write_text('{"attempt": "a-1", "to"')
    channel = spool(tmp_path)
    assert files(tmp_path) == []
    assert await channel.find("a-1") == Failed("not in the spool")
    assert await send(channel, [text()]) == [Accepted("a-1.json")]


async def test_what_stands_in_out_is_never_removed(tmp_path: Path) -> None:
    await send(spool(tmp_path), [text("a-1")])
    await send(spool(tmp_path), [text("a-2")])
    assert files(tmp_path) == ["a-1.json", "a-2.json"]


async def test_the_spool_can_be_asked_what_became_of_an_attempt(tmp_path: Path) -> None:
    channel = spool(tmp_path)
    await send(channel, [text("a-1")])
    assert await channel.find("a-1") == Accepted("a-1.json")
    assert await channel.find("a-2") == Failed("not in the spool")
    assert await channel.find("../out/a-1") == Failed("not in the spool")


async def test_an_unmounted_spool_knows_nothing_about_an_attempt(tmp_path: Path) -> None:
    channel = spool(tmp_path)
    await send(channel, [text("a-1")])
    (tmp_path / "spool").rename(tmp_path / "elsewhere")
    assert isinstance(await channel.find("a-1"), Unknown)


@pytest.mark.parametrize("attempt", ["../a", "a/b", "", ".a", "a\n", "a" * 129, "é"])
async def test_an_attempt_that_is_no_file_name_fails_for_good(tmp_path: Path, attempt: str) -> None:
    assert await send(spool(tmp_path), [text(attempt)]) == [Failed("attempt id is no file name", retry="permanent")]
    assert files(tmp_path) == []


async def test_a_text_to_nobody_fails_for_good(tmp_path: Path) -> None:
    assert await send(spool(tmp_path), [text(to=" ")]) == [Failed("no phone number", retry="permanent")]


async def test_a_try_that_is_too_late_leaves_nothing(tmp_path: Path) -> None:
    clock = HandClock()
    clock.advance(10)
    late, timely = replace(text("a-1"), start_by=9.0), replace(text("a-2"), start_by=10.0)
    assert await send(spool(tmp_path, clock=clock), [late, timely]) == [NOT_STARTED, Accepted("a-2.json")]
    assert files(tmp_path) == ["a-2.json"]


async def test_a_missing_folder_fails_with_what_and_where_and_heals(tmp_path: Path) -> None:
    channel = spool(tmp_path)
    out = tmp_path / "spool" / "out"
    out.rename(tmp_path / "out")
    (outcome,) = await send(channel, [text()])
    assert outcome == Failed(f"ENOENT No such file or directory: {out}", retry="transient")
    (tmp_path / "out").rename(out)
    assert await send(channel, [text()]) == [Accepted("a-1.json")]


async def test_one_file_that_cannot_be_written_spoils_only_its_own_try(tmp_path: Path) -> None:
    channel = spool(tmp_path)
    (tmp_path / "spool" / "out" / ".a-2.json.tmp").mkdir()
    outcomes = await send(channel, [text("a-1"), text("a-2"), text("a-3")])
    assert [type(outcome) for outcome in outcomes] == [Accepted, Failed, Accepted]
    assert isinstance(outcomes[1], Failed)
    assert outcomes[1].reason.startswith("EISDIR ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
async def test_a_full_disk_fails_by_its_name_and_leaves_nothing(tmp_path: Path) -> None:
    channel = spool(tmp_path)
    (tmp_path / "spool" / "out" / ".a-1.json.tmp").symlink_to("/dev/full")
    (outcome,) = await send(channel, [text()])
    assert isinstance(outcome, Failed)
    assert outcome.reason == f"ENOSPC No space left on device: {tmp_path / 'spool' / 'out'}"
    assert outcome.retry == "transient"
    assert files(tmp_path) == []


async def test_a_disk_that_hangs_leaves_the_try_unknown_and_is_not_waited_for_again(tmp_path: Path) -> None:
    channel = spool(tmp_path, timeout_s=0.2)
    pipe = tmp_path / "spool" / "out" / ".a-0.json.tmp"
    os.mkfifo(pipe)  # Opening it for writing blocks until somebody reads.
    outcomes = await send(channel, [text(f"a-{number}") for number in range(120)])
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert {type(outcome) for outcome in outcomes[:50]} == {Unknown}
        assert {type(outcome) for outcome in outcomes[50:]} == {Failed}
        await until(lambda: "a-49.json" in files(tmp_path))  # The thread goes on once the disk answers.
    finally:
        os.close(reader)


async def test_problems_are_named_and_go_away(tmp_path: Path) -> None:
    channel = spool(tmp_path)
    out = tmp_path / "spool" / "out"

    async def sink(receipt: Receipt) -> int | None:
        raise AssertionError(f"there is nothing to receive, but {receipt}")

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(channel.run(sink))
        assert channel.problem() is None
        out.rename(tmp_path / "out")
        await until(lambda: f"{out} is missing" in str(channel.problem()))
        (tmp_path / "out").rename(out)
        await until(lambda: channel.problem() is None)
        (tmp_path / "spool" / "in").rename(tmp_path / "in")
        await until(lambda: "No SMS report or answer is read" in str(channel.problem()))
        (tmp_path / "in").rename(tmp_path / "spool" / "in")
        await until(lambda: channel.problem() is None)
        running.cancel()


def test_a_spool_that_cannot_be_made_says_so_and_does_not_stop_the_daemon(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file")
    problem = spool(tmp_path).problem()
    assert problem is not None
    assert str(tmp_path / "spool") in problem


def test_the_strongest_proof_is_a_persons_answer(tmp_path: Path) -> None:
    assert spool(tmp_path).strongest is Evidence.ACKNOWLEDGED


async def test_a_look_at_the_spool_says_whether_texts_can_be_written(tmp_path: Path) -> None:
    channel = spool(tmp_path)
    (sound,) = await channel.probe()
    assert (sound.wrong, sound.told) == (None, "texts can be written")
    (tmp_path / "spool" / "out").rmdir()
    (broken,) = await channel.probe()
    assert (
        broken.wrong
        == f"No SMS can leave: {tmp_path}/spool/out is missing. Correct the folder, its rights or its disk."
    )
