"""Vandals at every door of a real, running daemon at once. It stays up, answers, believes nothing, and the next warning goes out."""

import asyncio
import json
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import aiomqtt
import httpx
import pytest

from tests.fakes.broker import needs_mosquitto
from tests.fakes.countryside import (
    DAEMON_USER,
    STRANGER,
    Countryside,
    bearer,
    countryside,
    password_of,
    state,
    terminal_of,
    token_of,
)
from tests.fakes.loudspeaker import NOW, STRANGE_KEY, key
from tests.simulation.county import VILLAGES
from tests.simulation.documents import document, flood
from tests.waiting import until
from warnd.clock import SystemClock
from warnd.model.loudspeaker import (
    DRILL_ROOT,
    LIVE_ROOT,
    Receipt,
    Stage,
    receipt_topic,
    sign_receipt,
    state_topic,
)

pytestmark = needs_mosquitto

VILLAGE = VILLAGES[0]
TERMINAL = terminal_of(VILLAGE)
_SOON_S = 1.0
_MEMORY_MB = 150
_PHONE = re.compile(r"(?<![\w-])(?:\+86)?1[3-9]\d{9}(?!\w)")


@dataclass
class Watch:
    """What a visitor sees meanwhile."""

    longest_s: float = 0.0

    async def visit(self, url: str) -> None:
        async with httpx.AsyncClient(base_url=url, timeout=20.0) as client:
            while True:
                began = time.monotonic()
                assert (await client.get("/healthz")).status_code == 200
                self.longest_s = max(self.longest_s, time.monotonic() - began)
                pause = asyncio.get_running_loop().create_future()
                asyncio.get_running_loop().call_later(0.02, pause.set_result, None)
                await pause


@asynccontextmanager
async def unshaken(centre: Countryside) -> AsyncIterator[None]:
    """Let something happen; afterwards the daemon lives, answered all the time, grew little, and sends a warning at once."""
    before, watch = _memory_mb(centre), Watch()
    async with asyncio.TaskGroup() as group:
        visiting = group.create_task(watch.visit(centre.url))
        yield
        await _a_warning_goes_out(centre)
        visiting.cancel()
    assert watch.longest_s < _SOON_S
    assert _memory_mb(centre) - before < _MEMORY_MB
    assert await _lag_s(centre) < _SOON_S
    assert "Traceback" not in centre.log
    assert not _PHONE.search(centre.log), _PHONE.search(centre.log)
    secrets = [token_of("release"), token_of("submit"), password_of(DAEMON_USER)]
    assert not any(secret in centre.log for secret in secrets)


def _memory_mb(centre: Countryside) -> int:
    told = Path(f"/proc/{centre.served.process.pid}/status").read_text("ascii")
    return int(told.partition("VmRSS:")[2].split()[0]) // 1024


async def _lag_s(centre: Countryside) -> float:
    async with httpx.AsyncClient(base_url=centre.url, timeout=10.0) as client:
        lines = (await client.get("/metrics")).text.splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("warnd_loop_lag_seconds ")))


async def _a_warning_goes_out(centre: Countryside) -> str:
    sent = SystemClock().now().replace(microsecond=0)
    identifier = f"QH-good-{time.monotonic_ns()}"
    began = time.monotonic()
    warning = await centre.release(flood(codes=(VILLAGE,), sent=sent, identifier=identifier))
    out = centre.folder / "spool" / "out"
    await until(lambda: any(warning in path.read_text("utf-8") for path in _newest(out)), timeout_s=5)
    assert time.monotonic() - began < _SOON_S
    return warning


def _newest(folder: Path) -> list[Path]:
    return sorted(folder.glob("[!.]*.json"), key=lambda path: path.stat().st_mtime_ns)[-20:]


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[Countryside]:
    async with countryside(tmp_path, villages=VILLAGES[:2]) as made:
        yield made


def _receipt(n: int, warning: str, **changed: object) -> Receipt:
    told = Receipt(
        root=LIVE_ROOT,
        terminal=TERMINAL,
        boot_id="boot-by-hand",
        n=n,
        stage=Stage.PLAYED,
        at=NOW,
        message_id=warning,
        seq=1,
        pass_done=1,
        played_ms=9000,
    )
    return replace(told, **changed)  # type: ignore[arg-type] # any field of a receipt


def _proofs(centre: Countryside, warning: str) -> list[tuple[object, ...]]:
    return centre.rows(
        "SELECT t.code FROM target t JOIN message m ON m.no = t.message_no WHERE m.id = :id AND t.confirmed_at IS NOT NULL",
        id=warning,
    )


async def test_loudspeakers_gone_mad_prove_nothing_and_hold_up_nobody(centre: Countryside) -> None:
    warning = await _a_warning_goes_out(centre)
    async with unshaken(centre):
        await _nobody_gets_in(centre)
        await _garbage(centre)
        await _forgeries(centre, warning)
        await _flapping(centre)
        assert _proofs(centre, warning) == []
        await _thousands_beyond_a_gap(centre)
    signed = sign_receipt(_receipt(1, warning, boot_id="honest"), key(100))
    await centre.publish(TERMINAL, receipt_topic(LIVE_ROOT, TERMINAL), signed)
    await until(lambda: _proofs(centre, warning) == [(VILLAGE,)])


async def _nobody_gets_in(centre: Countryside) -> None:
    for user in (None, DAEMON_USER):
        with pytest.raises(aiomqtt.MqttError):
            async with aiomqtt.Client(centre.broker.host, centre.broker.port, username=user, password="guess"):
                raise AssertionError("somebody got in")


async def _garbage(centre: Countryside) -> None:
    chance = Random(20260701)
    receipts, states = receipt_topic(LIVE_ROOT, TERMINAL), state_topic(LIVE_ROOT, TERMINAL)
    pieces = [
        b"",
        b"\0",
        b"{}",
        b"[" * 9000,
        b"a.b.c",
        b"\xff" * 100,
        b'{"v":1e999}',
        chance.randbytes(60_000),
        b"1" * 60_000,
    ]
    await _say(
        centre,
        [((receipts, states)[number % 2], pieces[number % len(pieces)], number % 3 > 0) for number in range(450)],
    )
    for retained in pieces[:3]:
        await centre.publish(TERMINAL, states, retained, retain=True)


async def _say(centre: Countryside, what: list[tuple[str, bytes, bool]]) -> None:
    """Publish in the terminal's name, many at a time: topic, payload, whether the broker is to answer for it."""
    async with centre.client(TERMINAL) as client:
        for start in range(0, len(what), 50):
            some = what[start : start + 50]
            await asyncio.gather(*(client.publish(topic, said, qos=answered) for topic, said, answered in some))


async def _forgeries(centre: Countryside, warning: str) -> None:
    topic = receipt_topic(LIVE_ROOT, TERMINAL)
    forged = [
        sign_receipt(_receipt(1, warning), STRANGE_KEY),
        sign_receipt(_receipt(1, warning, terminal=STRANGER), key(100)),
        sign_receipt(_receipt(1, warning, root=DRILL_ROOT), key(100)),
        sign_receipt(_receipt(1, warning), key(100))[:-6],
        sign_receipt(_receipt(1, warning), key(100)).replace(".", "..", 1),
    ]
    for one in forged:
        await centre.publish(TERMINAL, topic, one)
    stranger = sign_receipt(_receipt(1, warning, terminal=STRANGER), STRANGE_KEY)
    await centre.publish(STRANGER, receipt_topic(LIVE_ROOT, STRANGER), stranger)
    await centre.publish(
        DAEMON_USER, topic, sign_receipt(_receipt(1, warning), key(100))
    )  # The broker's rights forbid it.


async def _flapping(centre: Countryside) -> None:
    topic = state_topic(LIVE_ROOT, TERMINAL)
    await _say(centre, [(topic, state(TERMINAL, online=bool(number % 2)).encode(), True) for number in range(150)])
    await centre.publish(TERMINAL, topic, state(TERMINAL, volume=77), retain=True)
    await centre.until_terminal(TERMINAL, online=True, volume=77)


async def _thousands_beyond_a_gap(centre: Countryside) -> None:
    topic, last = receipt_topic(LIVE_ROOT, TERMINAL), 800
    told = [_receipt(n, "nobody-knows", boot_id="mad") for n in range(2, last + 1)]
    await _say(centre, [(topic, sign_receipt(one, key(100)).encode(), True) for one in told])
    count = "SELECT count(*) FROM terminal_receipt WHERE boot_id = 'mad'"
    await until(lambda: centre.rows(count) == [(last - 1,)], timeout_s=20)


async def test_a_gateway_gone_mad_proves_nothing_and_holds_up_nobody(centre: Countryside) -> None:
    warning = await _a_warning_goes_out(centre)
    spool, other = centre.folder / "spool" / "in", "13999999999"
    letters = [json.loads(path.read_text("utf-8")) for path in (centre.folder / "spool" / "out").glob("*.json")]
    mine = next(letter for letter in letters if letter["recipient"] == f"officer-{VILLAGE}")
    digit = next(d for d in "123456789" if f"复{d}确认" in mine["text"])
    wrong = next(d for d in "123456789" if d != digit)
    told = [
        {"attempt": f"{mine['attempt']}9", "status": "delivered"},
        {"attempt": "../../etc/passwd", "status": "delivered"},
        {"attempt": mine["attempt"], "status": "read"},
        {"attempt": mine["attempt"], "status": "delivered", "part": 0, "parts": 10**9},
        {"from": other, "text": digit},
        {"from": mine["to"], "text": wrong},
        {"from": 13800000000, "text": "1"},
        {"from": mine["to"], "text": "收到" * 20_000},
        {"from": f"{mine['to']}\0", "text": digit},
    ]
    rubbish = [
        b"",
        b"{",
        b"[" * 60_000,
        b"\xff\xfe",
        b'{"attempt":1,"attempt":2}',
        b"x" * 70_000,
        b'{"from":"\\ud800","text":"1"}',
    ]
    async with unshaken(centre):
        (spool / "link.json").symlink_to("/etc/passwd")
        os.mkfifo(spool / "pipe.json")
        (spool / "folder.json").mkdir()
        for number in range(2_000):
            some = rubbish[number % 7] if number % 2 else json.dumps(told[number // 2 % 9]).encode()
            written = spool / f".{number}"
            written.write_bytes(some)
            written.rename(spool / f"{number:05d}\n.json")
        await until(lambda: not any(spool.iterdir()), timeout_s=20)
    assert _proofs(centre, warning) == []
    evidence = "SELECT max(evidence) FROM delivery d JOIN message m ON m.no = d.message_no WHERE m.id = :id"
    assert centre.rows(evidence, id=warning) == [(1,)]
    (spool / "honest.json").write_text(json.dumps({"from": mine["to"], "text": digit}))
    await until(lambda: centre.rows(evidence, id=warning) == [(4,)])


async def test_a_flood_of_streams_and_documents_holds_up_nobody(centre: Countryside) -> None:
    sent = SystemClock().now().replace(microsecond=0)
    good = document(flood(codes=(VILLAGE,), sent=sent))
    geocode = b"<geocode><valueName>s%d</valueName><value>1</value></geocode>"
    bombs = [
        good.replace(b"<geocode>", b"".join(geocode % number for number in range(25_000)) + b"<geocode>", 1),
        good.replace(b"<info>", b"<" * 1_000_000, 1),
        b"<a>" * 300_000 + b"</alert>",
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><alert>&b;</alert>',
    ]
    async with unshaken(centre), asyncio.TaskGroup() as group:
        streams = [
            await asyncio.open_connection(centre.broker.host, int(centre.url.rpartition(":")[2])) for _ in range(200)
        ]
        for _, writer in streams:
            writer.write(b"GET /events HTTP/1.1\r\nHost: w\r\n\r\n")
        for bomb in bombs:
            group.create_task(_refused_or_kept(centre, bomb))
        for number in range(300):
            (centre.folder / "watched" / f"{number}.xml").write_bytes(bombs[2 + number % 2])
        refused = centre.folder / "watched" / "refused"
        await until(lambda: len(list(refused.glob("*.reasons.txt"))) == 300, timeout_s=20)
        for _, writer in streams:
            writer.close()


async def _refused_or_kept(centre: Countryside, bomb: bytes) -> None:
    headers = bearer("submit") | {"Content-Type": "application/xml"}
    async with httpx.AsyncClient(base_url=centre.url, timeout=20.0) as client:
        answered = await client.post("/api/v1/warnings", content=bomb, headers=headers)
    assert answered.status_code in {201, 400}
    assert "Traceback" not in answered.text
