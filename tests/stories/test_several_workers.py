"""Three workers share one store. Their clocks are an hour apart; one is killed, one stands still for a while, one hears of a cancel."""

import signal
from pathlib import Path

import httpx

from tests import invariants
from tests.fakes.broker import needs_mosquitto, running_broker
from tests.fakes.loudspeaker import key
from tests.fakes.workers import Centre, centre, loudspeakers, several, under_way, until
from tests.simulation.county import VILLAGES
from tests.simulation.documents import flood
from tests.test_mqtt_receipts import Terminal, terminal
from warnd.clock import SystemClock

pytestmark = needs_mosquitto

HOUSEHOLDS = 60  # In each of six villages.
SKEWS = {"alpha": 0.0, "beta": 3600.0, "gamma": -3600.0}
SILENT = ("beta", "gamma")
AFTER_CANCEL_S = 2.0
PASSWORD = "secret"
TERMINAL, KEY = f"term-{VILLAGES[0]}", key(100)
RECEIPTS = 12


async def test_nobody_is_told_twice_by_two_of_them_and_nobody_is_lost_with_one(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    users = {"warnd": PASSWORD, TERMINAL: PASSWORD}
    async with centre(tmp_path, households=HOUSEHOLDS) as made:
        with running_broker(tmp_path / "broker", users=users) as broker:
            more = loudspeakers(tmp_path, port=broker.port, password=PASSWORD)
            await several(made, SKEWS, latency_s=0.4, more=more)
            async with terminal(broker, name=TERMINAL) as village:
                await _a_warning_in_which_two_fall_silent(made, village)
            await _who_stood_still_goes_on(made)
            await _a_cancel_at_another_worker(made)
        made.check(invariants.check)
        _each_try_left_once(made)


async def _a_warning_in_which_two_fall_silent(made: Centre, village: Terminal) -> None:
    alpha, beta, gamma = made.workers.values()
    began = SystemClock().now()
    await alpha.release(flood(identifier="QH-1", level="orange", sent=began.replace(microsecond=0)))
    await until(lambda: all(one.calls() for one in made.workers.values()))
    assert made.calls()[0].at - began.timestamp() < 3, "the first text left late"
    await until(lambda: all(_at_it(made, name) for name in SILENT))
    unknown = made.number("SELECT count(*) FROM attempt WHERE state = 'unknown'")
    assert unknown == 0, "a worker whose clock is off took the others' tries for lapsed"
    gamma.process.send_signal(signal.SIGSTOP)
    await beta.kill()
    left = sum(_at_it(made, name) for name in SILENT)
    for n in range(1, RECEIPTS + 1):
        await village.says(n, key=KEY)  # Once: the broker keeps a share of it for the silent.
    await until(lambda: not made.rows("SELECT 1 FROM worker WHERE name <> 'alpha'"), timeout_s=30)
    lapsed = made.number("SELECT count(*) FROM attempt WHERE reason = 'lapsed'")
    assert 0 < lapsed <= left
    await until(lambda: not made.rows("SELECT 1 FROM delivery WHERE evidence = 0"), timeout_s=20)
    assert sum(call.repeated for call in made.calls()) == lapsed
    while (await village.hears()).n != RECEIPTS:
        pass


def _at_it(made: Centre, name: str) -> int:
    with made.engine.begin() as conn:
        return under_way(conn, name)


async def _who_stood_still_goes_on(made: Centre) -> None:
    """A machine that was suspended, or swapped to death, comes back in the middle of what it was about to do."""
    known = len(made.calls())
    made.workers["gamma"].process.send_signal(signal.SIGCONT)
    await until(lambda: made.rows("SELECT 1 FROM worker WHERE name = 'gamma'"), timeout_s=30)
    await until(lambda: not made.rows("SELECT 1 FROM leg WHERE state = 'submitting'"))
    assert len(made.calls()) == known, "it sent what another had taken over"


async def _a_cancel_at_another_worker(made: Centre) -> None:
    alpha, gamma = made.workers["alpha"], made.workers["gamma"]
    sent = SystemClock().now().replace(microsecond=0)
    warning = await gamma.release(flood(identifier="QH-2", level="red", sent=sent))
    await until(lambda: all(any(call.message_id == warning for call in one.calls()) for one in (alpha, gamma)))
    answer = await alpha.http.post(
        f"/api/v1/warnings/{warning}/cancel", json={"kind": "retract", "reason": "sent by mistake"}
    )
    assert answer.status_code == httpx.codes.CREATED, answer.text
    cancelled_at = SystemClock().now().timestamp()
    cancel = str(answer.json()["id"])
    may_have_got_it = {call.attempt.rsplit("-", 1)[0] for call in made.calls() if call.message_id == warning}
    assert len(may_have_got_it) < HOUSEHOLDS * 6, "it was over before the cancel came"
    completed = "SELECT count(*) FROM warning WHERE id = :id AND state = 'completed'"
    await until(lambda: made.number(completed, id=cancel) == 1)
    late = [call for call in made.calls() if call.message_id == warning and call.at > cancelled_at + AFTER_CANCEL_S]
    assert not late, f"{len(late)} texts began to leave later than two seconds after the cancel"


def _each_try_left_once(made: Centre) -> None:
    attempts = [call.attempt for call in made.calls()]
    assert len(attempts) == len(set(attempts)), "one try left twice"
    kept = {f"{row.leg_no}-{row.number}" for row in made.rows("SELECT leg_no, number FROM attempt")}
    assert {attempt.partition("-")[2] for attempt in attempts} <= kept, "a text left without its try in the store"
