"""Three workers share one store. Their machines' clocks are an hour apart, one is killed in the middle, another hears of a cancel."""

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
                await _a_warning_for_all_of_which_one_worker_dies(made, village)
            await _a_cancel_at_another_worker(made)
        made.check(invariants.check)
        _each_try_left_once(made)


async def _a_warning_for_all_of_which_one_worker_dies(made: Centre, village: Terminal) -> None:
    alpha, beta = made.workers["alpha"], made.workers["beta"]
    began = SystemClock().now()
    await alpha.release(flood(identifier="QH-1", level="orange", sent=began.replace(microsecond=0)))
    await until(lambda: all(one.calls() for one in made.workers.values()))
    assert made.calls()[0].at - began.timestamp() < 3, "the first text left late"

    def beta_is_at_it() -> bool:
        with made.engine.begin() as conn:
            return under_way(conn, "beta") > 0

    await until(beta_is_at_it)
    before = made.number("SELECT count(*) FROM attempt WHERE state = 'unknown'")
    assert before == 0, "a worker whose clock is off took the others' tries for lapsed"
    await beta.kill()
    left = made.number(
        "SELECT count(*) FROM leg WHERE state = 'submitting' AND owner = (SELECT writer FROM worker WHERE name = 'beta')"
    )
    assert left, "it was killed when nothing of its was under way"
    for n in range(1, RECEIPTS + 1):
        await village.says(n, key=KEY)  # Once: the broker keeps a share of it for the dead.
    await until(lambda: not made.rows("SELECT 1 FROM worker WHERE name = 'beta'"), timeout_s=30)
    assert made.number("SELECT count(*) FROM attempt WHERE reason = 'lapsed'") == left
    await until(lambda: not made.rows("SELECT 1 FROM delivery WHERE evidence = 0"), timeout_s=20)
    assert sum(call.repeated for call in made.calls()) == left
    while (await village.hears()).n != RECEIPTS:
        pass


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
    await until(
        lambda: made.number("SELECT count(*) FROM warning WHERE id = :id AND state = 'completed'", id=cancel) == 1
    )
    late = [call for call in made.calls() if call.message_id == warning and call.at > cancelled_at + AFTER_CANCEL_S]
    assert not late, f"{len(late)} texts began to leave later than two seconds after the cancel"


def _each_try_left_once(made: Centre) -> None:
    attempts = [call.attempt for call in made.calls()]
    assert len(attempts) == len(set(attempts)), "one try left twice"
    kept = {f"{row.leg_no}-{row.number}" for row in made.rows("SELECT leg_no, number FROM attempt")}
    assert {attempt.partition("-")[2] for attempt in attempts} <= kept, "a text left without its try in the store"
