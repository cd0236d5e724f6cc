"""Receipts over HTTP, each committed before it is answered, against a bare Starlette form route; and what kill -9 under load loses."""

import asyncio
import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.bench.conftest import SCALE, Table
from tests.bench.country import Country
from tests.bench.house import House, by_twilio, house
from tests.fakes.twilio import ACCOUNT_SID, sign
from tests.fleet.centre import until_seldom

pytestmark = pytest.mark.bench

ROUNDS = 5
EACH = int(8_000 * SCALE)
CONNECTIONS = 100  # Twilio opens many.
PUBLIC_URL = "https://warn.example"
_HERE = Path(__file__).parent
_ACCEPTED = "SELECT sum(n) FROM counter WHERE region = '' AND state = 'satisfied'"
_TEXTS = "FROM attempt JOIN leg ON leg.no = attempt.leg_no AND leg.lane = 'sms'"


async def test_receipts_over_http(twilio_port: str, tmp_path: Path, table: Table) -> None:
    people = EACH * (ROUNDS + 1)
    country = Country(villages=max(20, people // 50), people=people)
    ours, bare = [], []
    async with house(tmp_path, country, more=by_twilio(tmp_path, twilio_port)) as home:
        await home.release()
        await until_seldom(lambda: home.number(_ACCEPTED) == people, timeout_s=600)
        requests = _requests(home)
        with _bare() as port:
            for number in range(ROUNDS):
                part = requests[number * EACH : (number + 1) * EACH]
                bare.append(EACH / (await _posted(tmp_path, port, part))["seconds"])
                told = await _posted(tmp_path, _port(home), part)
                assert len(told["good"]) == EACH
                ours.append(EACH / told["seconds"])
        lost, answered = await _killed(home, tmp_path, requests[ROUNDS * EACH :])
    ratios = [mine / plain for mine, plain in zip(ours, bare, strict=True)]
    table.add("receipts over HTTP, each committed before its answer", ours, aim="", met=None, unit="/s")
    table.add("  a bare Starlette form route", bare, aim="", met=None, unit="/s")
    table.add("  ratio", ratios, aim=">= 0.6", met=sorted(ratios)[ROUNDS // 2] >= 0.6)
    table.add(f"  lost of {answered:,} answered before kill -9", [lost], aim="0", met=lost == 0)
    assert lost == 0


def _port(home: House) -> int:
    return int(home.served.url.rpartition(":")[2])


def _requests(home: House) -> list[bytes]:
    """Return a signed report of delivery for each attempt, in their order."""
    conn = sqlite3.connect(home.folder / "warnd.sqlite")
    tag = conn.execute("SELECT value FROM meta WHERE key = 'tag'").fetchone()[0]
    rows = conn.execute(f"SELECT leg_no, number, reference {_TEXTS} ORDER BY leg_no").fetchall()
    conn.close()
    return [_request(f"{tag}-{leg}-{number}", sid) for leg, number, sid in rows]


def _request(attempt: str, sid: str) -> bytes:
    path = f"/receipts/twilio/status?attempt={attempt}"
    form = {
        "SmsSid": sid,
        "SmsStatus": "delivered",
        "MessageStatus": "delivered",
        "To": "+8613000000000",
        "MessageSid": sid,
        "AccountSid": ACCOUNT_SID,
        "From": "+15005550006",
        "ApiVersion": "2010-04-01",
    }
    body = urlencode(form).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: warn.example\r\nUser-Agent: TwilioProxy/1.1\r\nAccept: */*\r\n"
        f"X-Twilio-Signature: {sign(PUBLIC_URL + path, form)}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@contextmanager
def _bare() -> Iterator[int]:
    with Popen([sys.executable, str(_HERE / "bare_form.py")], stdout=PIPE, text=True) as running:
        assert running.stdout is not None
        yield int(running.stdout.readline())
        running.kill()


async def _poster(folder: Path, port: int, requests: Sequence[bytes]) -> asyncio.subprocess.Process:
    ready = folder / "requests"
    ready.write_bytes(b"".join(len(one).to_bytes(4) + one for one in requests))
    return await asyncio.create_subprocess_exec(
        sys.executable, str(_HERE / "poster.py"), str(port), str(CONNECTIONS), str(ready), stdout=PIPE
    )


async def _posted(folder: Path, port: int, requests: Sequence[bytes]) -> dict[str, Any]:
    told, _ = await (await _poster(folder, port, requests)).communicate()
    found: dict[str, Any] = json.loads(told)
    return found


async def _killed(home: House, folder: Path, requests: Sequence[bytes]) -> tuple[int, int]:
    """Kill the daemon amid reports; return how many of those that were answered are not in the store, and how many were answered."""
    known = home.number("SELECT count(*) FROM receipt")
    poster = await _poster(folder, _port(home), requests)
    await until_seldom(lambda: home.number("SELECT count(*) FROM receipt") > known + len(requests) // 4, timeout_s=60)
    await home.served.kill()
    told, _ = await poster.communicate()
    answered = json.loads(told)["good"]
    assert 0 < len(answered) < len(requests), "it was not killed in the middle"
    conn = sqlite3.connect(home.folder / "warnd.sqlite")
    order = [row[0] for row in conn.execute(f"SELECT leg_no {_TEXTS} ORDER BY leg_no")][ROUNDS * EACH :]
    kept = {row[0] for row in conn.execute("SELECT leg_no FROM receipt")}
    conn.close()
    return sum(order[place] not in kept for place in answered), len(answered)
