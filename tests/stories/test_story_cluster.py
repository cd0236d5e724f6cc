"""What takes a minute: workers on a Patroni cluster behind HAProxy, and a primary that hangs instead of dying."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests import invariants, stores
from tests.fakes.patroni import patroni_cluster, web_front
from tests.fakes.postgres_pair import postgres_pair
from tests.fakes.workers import Centre, One, centre_at
from tests.simulation.documents import document, flood
from tests.waiting import until
from warnd.clock import SystemClock

pytestmark = pytest.mark.cluster

SERVE = ("warnd", "serve", "--config", "{config}")
UNREADY_AT_MOST_S = 30.0
ANSWERED_WITHIN_S = 40.0


async def test_workers_outlive_a_switch_over_and_a_crash_of_the_leader_behind_haproxy(tmp_path: Path) -> None:
    with patroni_cluster() as cluster:
        async with _two_workers(cluster.url, tmp_path) as made:
            await _in_mid_dispatch(made, "QH-1")
            async with _watched(made, "a switch-over"):
                await asyncio.to_thread(cluster.switch_over)
            await until(lambda: _done(made), timeout_s=60)
            await until(cluster.synchronous, timeout_s=60)
            await _in_mid_dispatch(made, "QH-2")
            leader = cluster.primary()
            assert leader is not None
            async with _watched(made, "a crash of the leader"):
                await asyncio.to_thread(leader.kill_postmaster)
            await until(lambda: _done(made), timeout_s=60)
            made.check(invariants.check)
            assert {row.identifier for row in made.rows("SELECT identifier FROM warning")} == {"QH-1", "QH-2"}


async def test_a_primary_that_hangs_is_left_in_bounded_time(tmp_path: Path) -> None:
    """It takes connections and answers nothing; whoever asks meanwhile is told so, and the workers go to the promoted standby."""
    with postgres_pair() as pair:
        async with _two_workers(pair.url, tmp_path) as made:
            await _in_mid_dispatch(made, "QH-1")
            pair.primary.signal_all(signal.SIGSTOP)
            began = asyncio.get_running_loop().time()
            answers = await asyncio.gather(*(_submit(one, f"QH-{one.name}") for one in made.workers.values()))
            took_s = asyncio.get_running_loop().time() - began
            print(f"a hanging primary was told after {took_s:.1f} s")  # noqa: T201 - docs/scale-out.md states it
            assert [answer.status_code for answer in answers] == [503, 503]
            assert took_s < ANSWERED_WITHIN_S
            async with _watched(made, "a primary that hangs"):
                await asyncio.to_thread(pair.promote)
            for one in made.workers.values():
                assert (await _submit(one, f"QH-{one.name}")).status_code in {200, 201}
            pair.primary.kill()
            await until(lambda: _done(made), timeout_s=90)
            made.check(invariants.check)


async def test_any_worker_answers_behind_haproxy_and_one_that_dies_is_not_missed(tmp_path: Path) -> None:
    async with _two_workers(stores.new_database(empty=True), tmp_path) as made:
        alpha, beta = made.workers.values()
        with web_front([alpha.http.base_url.port or 0, beta.http.base_url.port or 0]) as front:
            async with httpx.AsyncClient(base_url=front, headers=alpha.http.headers, timeout=20) as anybody:
                async with asyncio.timeout(20):
                    while not await _reached(anybody):
                        pass
                async with anybody.stream("GET", "/events") as events:
                    assert events.headers["content-type"].startswith("text/event-stream")
                    assert await anext(events.aiter_bytes())
                await alpha.kill()
                statuses = [(await anybody.get("/healthz")).status_code for _ in range(40)]
                assert set(statuses[-20:]) == {200}, statuses
                body = document(flood(sent=SystemClock().now().replace(microsecond=0)))
                answer = await anybody.post("/api/v1/warnings", content=body, headers={"Content-Type": "text/xml"})
                assert answer.status_code == httpx.codes.CREATED, answer.text


async def _reached(anybody: httpx.AsyncClient) -> bool:
    try:
        return (await anybody.get("/healthz")).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


@asynccontextmanager
async def _two_workers(url: str, folder: Path) -> AsyncIterator[Centre]:
    async with centre_at(url, folder, households=40) as made:
        for name in ("alpha", "beta"):
            spool = folder / name / "spool"
            spool.mkdir(parents=True)
            await made.start(name, f'[sms]\nspool.dir = "{spool}"\nrate_per_s = 20\n', SERVE)
        await made.all_answer()
        for one in made.workers.values():
            one.http.timeout = httpx.Timeout(60.0)
        yield made


async def _in_mid_dispatch(made: Centre, identifier: str) -> None:
    before = _texts(made)
    assert (await _submit(made.workers["alpha"], identifier)).status_code == httpx.codes.CREATED
    await until(lambda: _texts(made) > before + 20, timeout_s=30)


async def _submit(worker: One, identifier: str) -> httpx.Response:
    alert = flood(identifier=identifier, level="orange", sent=SystemClock().now().replace(microsecond=0))
    return await worker.http.post(
        "/api/v1/warnings", content=document(alert), headers={"Content-Type": "application/cap+xml"}
    )


def _texts(made: Centre) -> int:
    return sum(1 for _ in made.folder.glob("*/spool/out/*.json"))


def _done(made: Centre) -> bool:
    try:
        return made.number("SELECT count(*) FROM warning WHERE state <> 'completed'") == 0
    except Exception:  # noqa: BLE001 - this test's own connection fails over, too
        return False


@asynccontextmanager
async def _watched(made: Centre, what: str) -> AsyncIterator[None]:
    """Do it, and see that every worker is ready again within the bound; say how long that took."""
    began = asyncio.get_running_loop().time()
    yield
    for one in made.workers.values():
        await _ready(one, within_s=UNREADY_AT_MOST_S)
    print(f"{what}: all workers ready {asyncio.get_running_loop().time() - began:.1f} s later")  # noqa: T201 - docs/scale-out.md states it


async def _ready(worker: One, *, within_s: float) -> None:
    told = ""
    give_up_at = asyncio.get_running_loop().time() + within_s
    in_a_row = 0
    while in_a_row < 20:  # So that readiness from before the end is not taken for that after it.
        answer = await worker.http.get("/readyz")
        told = answer.text
        in_a_row = in_a_row + 1 if answer.status_code == httpx.codes.OK else 0
        assert asyncio.get_running_loop().time() < give_up_at, told
