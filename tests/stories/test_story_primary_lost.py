"""The database server dies in the middle of a warning, and its standby is promoted. Workers come back by themselves; nothing is lost."""

import asyncio
import json
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import httpx

from tests import invariants
from tests.fakes.postgres_pair import Pair, postgres_pair
from tests.fakes.workers import Centre, One, centre_at
from tests.simulation.documents import document, flood
from tests.waiting import until
from warnd.clock import SystemClock

HOUSEHOLDS = 12  # In each of six villages.
SERVE = ("warnd", "serve", "--config", "{config}")
ANSWERED_WITHIN_S = 10.0
BACK_WITHIN_S = 5.0
_AGAIN_S = 0.2
XML = {"Content-Type": "application/cap+xml"}


class Told(NamedTuple):
    """What a centre upstream was told of one warning, each time it sent it."""

    identifier: str
    statuses: list[int | None]  # None = the connection ended without an answer.


async def test_workers_go_on_with_the_promoted_standby_and_nothing_accepted_is_lost(tmp_path: Path) -> None:
    with postgres_pair() as pair:
        async with centre_at(pair.url, tmp_path, households=HOUSEHOLDS) as made:
            alpha, beta = await _two_workers(made)
            await alpha.release(flood(identifier="QH-1", level="orange", sent=_now()))
            await until(lambda: _out(made, alpha) and _out(made, beta))
            told = await _warnings_that_come_in_meanwhile(pair, alpha, beta)
            assert all(each.statuses[-1] in {200, 201} for each in told), told
            assert any(503 in each.statuses for each in told), "nobody came while there was no store"
            for worker in (alpha, beta):
                assert (await worker.http.get("/readyz")).json()["problems"] == []
            await until(lambda: made.number(_OPEN) == 0 and made.number(_SUBMITTED) == 1 + len(told), timeout_s=60)
            made.check(invariants.check)
            _every_text_is_accounted_for(made, [*_out(made, alpha), *_out(made, beta)])
            assert made.number("SELECT count(*) FROM warning") == 1 + len(told)


_OPEN = "SELECT count(*) FROM delivery WHERE evidence = 0"
_SUBMITTED = "SELECT count(*) FROM message WHERE stage = 'planned'"


async def _two_workers(made: Centre) -> tuple[One, One]:
    for name in ("alpha", "beta"):
        spool = made.folder / name / "spool"
        spool.mkdir(parents=True)
        await made.start(name, f'[sms]\nspool.dir = "{spool}"\nrate_per_s = 30\n', SERVE)
    await made.all_answer()
    return made.workers["alpha"], made.workers["beta"]


async def _warnings_that_come_in_meanwhile(pair: Pair, alpha: One, beta: One) -> list[Told]:
    """Kill the primary while six warnings are on their way in; they are sent again until each is answered for good."""
    told = [Told(f"QH-M{number}", []) for number in range(6)]
    async with asyncio.TaskGroup() as group:
        for number, each in enumerate(told):
            group.create_task(_send_until_accepted((alpha, beta)[number % 2], each), name=each.identifier)
        await until(lambda: any(each.statuses for each in told))
        await asyncio.to_thread(pair.primary.kill)
        for worker in (alpha, beta):
            await _tells_what_is_wrong(worker)
        await asyncio.to_thread(pair.promote)
        began = asyncio.get_running_loop().time()
        for worker in (alpha, beta):
            await _is_ready(worker)
        assert asyncio.get_running_loop().time() - began < BACK_WITHIN_S
    return told


async def _send_until_accepted(worker: One, told: Told) -> None:
    loop = asyncio.get_running_loop()
    body = document(flood(identifier=told.identifier, level="blue", codes=("519999101201",), sent=_now()))
    while not told.statuses or told.statuses[-1] not in {200, 201}:
        began = loop.time()
        try:
            answer = await worker.http.post("/api/v1/warnings", content=body, headers=XML)
        except httpx.TransportError:
            told.statuses.append(None)
            continue
        assert loop.time() - began < ANSWERED_WITHIN_S
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            assert answer.headers["content-type"] == "application/problem+json"
            assert "promote its standby" in answer.json()["detail"]
            assert "127.0.0.1" not in answer.json()["detail"]
            await until(partial(_over, loop.time() + _AGAIN_S))
        else:
            assert answer.status_code in {200, 201}, answer.text
        told.statuses.append(answer.status_code)


def _over(at: float) -> bool:
    return asyncio.get_running_loop().time() >= at


async def _tells_what_is_wrong(worker: One) -> None:
    answer = await worker.http.get("/readyz")
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert any(each.startswith("ledger: ") and "promote its standby" in each for each in answer.json()["problems"])
    assert (await worker.http.get("/healthz")).status_code == httpx.codes.OK
    await until(lambda: "promote its standby" in worker.log.read_text("utf-8"))


async def _is_ready(worker: One) -> None:
    answers: list[httpx.Response] = []
    give_up_at = asyncio.get_running_loop().time() + BACK_WITHIN_S
    while not answers or answers[-1].status_code != httpx.codes.OK:
        answers.append(await worker.http.get("/readyz"))
        assert asyncio.get_running_loop().time() < give_up_at, answers[-1].text


def _out(made: Centre, worker: One) -> list[dict[str, str]]:
    files = (made.folder / worker.name / "spool" / "out").glob("*.json")
    return [json.loads(path.read_text("utf-8")) for path in files]


def _every_text_is_accounted_for(made: Centre, out: list[dict[str, str]]) -> None:
    """Every text that left is a try that the promoted standby knows of, and whoever got two was told that one is a repeat."""
    tag = made.rows("SELECT value FROM meta WHERE key = 'tag'")[0].value
    kept = {f"{tag}-{row.leg_no}-{row.number}" for row in made.rows("SELECT leg_no, number FROM attempt")}
    assert {letter["attempt"] for letter in out} <= kept
    first: set[tuple[str, str]] = set()
    for letter in out:
        if "（重发）" in letter["text"] or "(repeat)" in letter["text"]:
            continue
        assert (letter["message_id"], letter["recipient"]) not in first, letter
        first.add((letter["message_id"], letter["recipient"]))
    told = {(letter["message_id"], letter["recipient"]) for letter in out}
    wanted = made.rows(
        "SELECT m.id, r.id AS recipient FROM delivery d JOIN message m ON m.no = d.message_no JOIN recipient r ON r.no = d.recipient_no"
    )
    assert told == {(row.id, row.recipient) for row in wanted}


def _now() -> datetime:
    return SystemClock().now().replace(microsecond=0)
