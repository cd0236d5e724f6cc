"""`in/`: nothing is lost, nothing is read half, nothing bad comes again."""

import asyncio
import os
import random
from pathlib import Path

import pytest

from channels.sms.spool.collect import Collector
from channels.sms.spool.inbox import Inbox
from channels.sms.spool.threads import Threads
from tests.fakes.clock import HandClock
from tests.fakes.sms_spool import put_letter
from warnd.channel import Receipt, Reply, Report

GOOD = {"attempt": "a-1", "status": "delivered", "part": 1, "parts": 2, "at": "2026-07-03T07:30:00Z"}


class Ledger:
    """A sink that fails for what it is told to."""

    def __init__(self) -> None:
        self.committed: list[Receipt] = []
        self.refuses: set[str] = set()
        self.tried = 0

    async def __call__(self, receipt: Receipt) -> int | None:
        self.tried += 1
        if isinstance(receipt, Report) and receipt.attempt in self.refuses:
            raise OSError("database is locked")
        self.committed.append(receipt)
        return None

    def attempts(self) -> list[str]:
        return [str(receipt.attempt) for receipt in self.committed if isinstance(receipt, Report)]


class Post:
    """A spool's `in/`, its collector and a clock moved by hand."""

    def __init__(self, spool: Path) -> None:
        self.spool = spool
        self.clock = HandClock()
        self.ledger = Ledger()
        self.inbox = Inbox(spool / "in", spool / "bad")
        self.inbox.open()
        threads = Threads(2, timeout_s=10)
        self.collector = Collector(self.inbox, threads=threads, clock=self.clock, random=random.Random(1))

    async def collect(self) -> bool:
        return await self.collector.once(self.ledger)

    def waiting(self) -> list[str]:
        return sorted(path.name for path in (self.spool / "in").iterdir())

    def bad(self) -> list[str]:
        return sorted(path.name for path in (self.spool / "bad").iterdir())

    def reason(self, name: str) -> str:
        return (self.spool / "bad" / f"{name}.reason").read_text("utf-8")


@pytest.fixture
def post(tmp_path: Path) -> Post:
    return Post(tmp_path / "spool")


async def test_a_file_goes_after_its_receipt_is_committed(post: Post) -> None:
    put_letter(post.spool, "r1", GOOD)
    put_letter(post.spool, "r2", {"from": "+8613800138000", "text": "1"})
    await post.collect()
    assert post.ledger.attempts() == ["a-1"]
    assert [receipt.text for receipt in post.ledger.committed if isinstance(receipt, Reply)] == ["1"]
    assert (post.waiting(), post.bad()) == ([], [])


async def test_files_are_read_oldest_first(post: Post) -> None:
    for age, name in enumerate(["c", "a", "b"]):
        path = put_letter(post.spool, name, GOOD | {"attempt": name})
        os.utime(path, ns=(0, age))
    for name in ("z", "y"):
        os.utime(put_letter(post.spool, name, GOOD | {"attempt": name}), ns=(0, 9))
    await post.collect()
    assert post.ledger.attempts() == ["c", "a", "b", "y", "z"]


async def test_a_report_of_an_attempt_that_is_not_ours_is_brought_too(post: Post) -> None:
    put_letter(post.spool, "r", GOOD | {"attempt": "of-another-daemon"})
    await post.collect()
    assert post.ledger.attempts() == ["of-another-daemon"]


@pytest.mark.parametrize("name", [".r.json", "r.json.tmp", "r.tmp", "r", "r.json~", ".json"])
async def test_what_is_still_being_written_is_left_alone(post: Post, name: str) -> None:
    (post.spool / "in" / name).write_text('{"attempt": "a-')
    await post.collect()
    assert (post.waiting(), post.bad(), post.ledger.tried) == ([name], [], 0)


async def test_many_receipts_wait_for_their_commit_together(post: Post) -> None:
    """So that the recorder commits them as one group."""
    for number in range(100):
        put_letter(post.spool, f"r{number}", GOOD | {"attempt": f"a-{number}"})
    together = asyncio.Barrier(100)

    async def sink(receipt: Receipt) -> int | None:
        async with asyncio.timeout(10):
            await together.wait()
        return await post.ledger(receipt)

    await post.collector.once(sink)
    assert (post.waiting(), len(post.ledger.committed)) == ([], 100)


async def test_a_batch_is_bounded_and_the_rest_comes_next(post: Post) -> None:
    for number in range(501):
        put_letter(post.spool, f"r{number}", GOOD | {"attempt": f"a-{number}"})
    assert await post.collect() is True
    assert len(post.waiting()) == 1
    assert await post.collect() is False
    assert len(post.ledger.committed) == 501


async def test_a_receipt_that_is_not_committed_stays_and_comes_again_later(post: Post) -> None:
    post.ledger.refuses = {"a-1"}
    put_letter(post.spool, "r1", GOOD)
    put_letter(post.spool, "r2", GOOD | {"attempt": "a-2"})
    await post.collect()
    assert (post.waiting(), post.ledger.attempts()) == (["r1.json"], ["a-2"])
    await post.collect()
    assert post.ledger.tried == 2, "it is not tried again at once"
    post.ledger.refuses = set()
    post.clock.advance(60)
    await post.collect()
    assert (post.waiting(), post.ledger.attempts()) == ([], ["a-2", "a-1"])


async def test_a_ledger_that_stays_down_is_asked_ever_more_slowly_and_for_ever(post: Post) -> None:
    post.ledger.refuses = {"a-1"}
    put_letter(post.spool, "r1", GOOD)
    for _ in range(400):  # 100 s at the poll's pace
        await post.collect()
        post.clock.advance(0.25)
    assert 3 < post.ledger.tried < 40
    post.ledger.refuses = set()
    post.clock.advance(60)
    await post.collect()
    assert post.waiting() == []


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "not JSON"),
        (b"rubbish", "not JSON"),
        (b"\xff\xff", "UTF-8"),
        (b'{"attempt":"a-1","status":"delivered","part":0,"parts":1}', "part"),
        (b'{"attempt":"../../etc/passwd","status":"delivered"}', "attempt"),
        (b" " * 70_000, "larger than"),
    ],
)
async def test_a_bad_file_is_put_aside_with_its_reason(post: Post, content: bytes, cause: str) -> None:
    put_letter(post.spool, "r", content)
    put_letter(post.spool, "good", GOOD)
    await post.collect()
    assert (post.waiting(), post.bad()) == ([], ["r.json", "r.json.reason"])
    assert cause in post.reason("r.json")
    assert (post.spool / "bad" / "r.json").read_bytes() == content
    assert post.ledger.attempts() == ["a-1"]


async def test_bad_files_of_the_same_name_are_all_kept(post: Post) -> None:
    for content in (b"one", b"two", b"three"):
        put_letter(post.spool, "r", content)
        await post.collect()
    kept = [name for name in post.bad() if not name.endswith(".reason")]
    assert sorted((post.spool / "bad" / name).read_bytes() for name in kept) == [b"one", b"three", b"two"]
    assert len(post.bad()) == 6


async def test_links_folders_and_pipes_are_put_aside_and_not_followed(post: Post, tmp_path: Path) -> None:
    """A pipe would hold up the reader for ever; a link would read what the gateway may not."""
    secret = tmp_path / "secret.json"
    secret.write_text('{"attempt": "secret", "status": "delivered"}')
    folder = post.spool / "in"
    (folder / "link.json").symlink_to(secret)
    (folder / "dangling.json").symlink_to(tmp_path / "nowhere")
    (folder / "folder.json").mkdir()
    os.mkfifo(folder / "pipe.json")
    put_letter(post.spool, "good", GOOD)
    async with asyncio.timeout(10):
        await post.collect()
    assert post.waiting() == []
    assert [name for name in post.bad() if not name.endswith(".reason")] == [
        "dangling.json",
        "folder.json",
        "link.json",
        "pipe.json",
    ]
    assert "no ordinary file" in post.reason("pipe.json")
    assert post.ledger.attempts() == ["a-1"]
    assert secret.exists()


async def test_a_name_that_is_no_text_and_a_very_long_name_are_put_aside(post: Post) -> None:
    for name in (b"\xff\xfe.json", b"x" * 250 + b".json"):
        (post.spool / "in" / os.fsdecode(name)).write_bytes(b"rubbish")
    await post.collect()
    assert post.waiting() == []
    assert len(post.bad()) == 4


async def test_a_file_that_vanishes_is_no_trouble(post: Post) -> None:
    put_letter(post.spool, "r", GOOD)
    found = post.inbox.find(most=10, but=())
    (post.spool / "in" / "r.json").unlink()
    assert post.inbox.read(found) == []
    assert post.inbox.remove(found) == {}


async def test_a_new_file_under_the_name_of_one_just_committed_is_not_removed_unread(post: Post) -> None:
    put_letter(post.spool, "r", GOOD)

    async def sink(receipt: Receipt) -> int | None:
        assert isinstance(receipt, Report)
        if receipt.attempt == "a-1":
            put_letter(post.spool, "r", GOOD | {"attempt": "a-2-second"})
        return await post.ledger(receipt)

    await post.collector.once(sink)
    assert post.waiting() == ["r.json"]
    await post.collector.once(sink)
    assert post.ledger.attempts() == ["a-1", "a-2-second"]
    assert post.waiting() == []


async def test_a_committed_file_that_cannot_be_removed_is_not_brought_twice(post: Post) -> None:
    put_letter(post.spool, "r", GOOD)
    folder, moved = post.spool / "in", post.spool / "moved"

    async def sink(receipt: Receipt) -> int | None:
        folder.rename(moved)
        folder.write_text("the disk is gone")
        return await post.ledger(receipt)

    await post.collector.once(sink)
    folder.unlink()
    moved.rename(folder)
    assert post.waiting() == ["r.json"]
    post.clock.advance(60)
    await post.collect()
    assert (post.waiting(), post.ledger.tried) == ([], 1)


async def test_an_unreadable_folder_is_said_and_asked_again(post: Post) -> None:
    (post.spool / "in").rename(post.spool / "gone")
    with pytest.raises(FileNotFoundError):
        await post.collect()
    (post.spool / "gone").rename(post.spool / "in")
    put_letter(post.spool, "r", GOOD)
    await post.collect()
    assert post.ledger.attempts() == ["a-1"]
