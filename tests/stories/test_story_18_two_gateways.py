"""Scenario 18 with two gateways and with none: seats are reached by the other within one step, and by mail when no gateway is left."""

import asyncio
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.simulation.acts import BROKEN, answering, reporting
from tests.simulation.county import VILLAGES, recipients_csv
from tests.simulation.documents import cancel_of, flood
from tests.simulation.virtual import VirtualLoop, run
from tests.simulation.world import Act, Wire, World, obedient_phone, running, settings_for
from warnd.channel import Accepted, Failed, Outcome, Outgoing, Report, Sender, Unknown
from warnd.ledger.views.explain import explain
from warnd.model.evidence import Evidence
from warnd.resources import shipped
from warnd.settings import Settings

UNICOM, MOBILE = Sender("unicom"), Sender("mobile")
_EMAIL = 7  # Column.


def dying(after: int, outcome: Outcome, then: Act = obedient_phone) -> Act:
    """A gateway that works for so many texts, and then says the same to all."""
    taken = 0

    async def act(outgoing: Outgoing, wire: Wire) -> Outcome:
        nonlocal taken
        taken += 1
        return await then(outgoing, wire) if taken <= after else outcome

    return act


def by_mail_after(folder: Path) -> Settings:
    """Return settings whose plans turn to mail only when no text can leave."""
    plans = (shipped("config") / "plans.toml").read_text("utf-8").replace("parallel = true", "parallel = false")
    (folder / "plans.toml").write_text(plans.replace('channels = ["sms"]', 'channels = ["sms", "email"]'), "utf-8")
    config = settings_for(folder, 'plans_file = "plans.toml"\n')
    assert config.plans_file == folder / "plans.toml"
    return config


def with_mail() -> str:
    head, *lines = recipients_csv().splitlines()
    rows = [line.split(",") for line in lines]
    for row in rows:
        row[_EMAIL] = f"{row[0]}@qinghe.example" if row[1] != "terminal" else ""
    return "\n".join([head, *(",".join(row) for row in rows)]) + "\n"


async def tries(world: World) -> list[Any]:
    """Return every try by text as (recipient, number, sender, state, submitted at, repeat), in the order of the recipients."""
    return await world.query(
        "SELECT r.id, a.number, a.sender, a.state, a.submitted_at, a.repeat, d.state AS reached FROM attempt a "
        "JOIN leg l ON l.no = a.leg_no JOIN delivery d ON d.no = l.delivery_no JOIN recipient r ON r.no = d.recipient_no "
        "WHERE l.channel = 'sms' ORDER BY r.id, a.number"
    )


def test_one_dies_in_the_middle_of_a_red_and_the_other_reaches_everybody_within_one_step(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        gateways = {UNICOM: dying(5, BROKEN), MOBILE: obedient_phone}
        async with running(tmp_path, loop=loop, gateways=gateways) as world:
            warning_id = await world.release(flood())
            await world.clock.sleep(40)
            rows = await tries(world)
            assert {row.state for row in rows if row.sender == "mobile"} == {"accepted"}
            again = [(one, two) for one, two in pairwise(rows) if one.id == two.id]
            assert again, "some were caught by the death of the first"
            for one, two in again:
                assert (one.sender, one.state, two.sender, two.state) == ("unicom", "failed", "mobile", "accepted")
                assert two.submitted_at - one.submitted_at <= 600, "at once, without a back-off"
                assert not two.repeat, "what certainly did not leave is no repeat"
            assert {row.reached for row in rows} == {"satisfied"}
            (told,) = [one for one in world.daemon.degraded() if one.startswith("sms: ")]
            assert told == (
                "sms: Everything leaves by mobile alone; if that fails, nothing does. "
                "unicom: It is tried now and then after: 503 unavailable."
            )
            assert world.daemon.problems() == []
            failed = sum(row.sender == "unicom" and row.state == "failed" for row in rows)
            sample = world.daemon.registry.get_sample_value
            labels = {"lane": "sms", "sender": "unicom"}
            assert sample("warnd_sender_attempts_total", labels | {"outcome": "failed_transient"}) == failed
            assert (sample("warnd_sender_weight", labels) or 0) < 1
            assert (sample("warnd_sender_breaker", labels) or 0) > 0
            told_of = await _explained(world, warning_id, again[0][0].id)
            assert told_of == ["unicom", "mobile"]
            await world.check_invariants()

    run(story(), loop)


async def _explained(world: World, warning_id: str, recipient: str) -> list[str | None]:
    """Return which senders `warnd explain` names, try by try."""
    found = await world.ledger.read(
        explain, warning_id=warning_id, recipient_id=recipient, now=world.daemon.clock.now()
    )
    assert found is not None
    return [each.sender for delivery in found.deliveries for leg in delivery.legs for each in leg.attempts]


def test_one_that_hangs_costs_a_wait_only_to_those_it_has_and_nobody_is_told_twice(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def hangs(_outgoing: Outgoing, _wire: Wire) -> Outcome:
        await asyncio.Event().wait()
        return Accepted()

    async def story() -> None:
        gateways = {UNICOM: hangs, MOBILE: obedient_phone}
        async with running(tmp_path, loop=loop, gateways=gateways) as world:
            await world.release(flood())
            await world.clock.sleep(85)
            rows = await tries(world)
            assert max(row.number for row in rows) == 1, "what may have left goes nowhere else before its wait is over"
            assert {row.state for row in rows if row.sender == "unicom"} == {"unknown"}
            await world.clock.sleep(100)
            officers = [row for row in await tries(world) if row.id.startswith("officer")]
            assert {row.reached for row in officers} == {"satisfied"}
            assert [row.sender for row in officers if row.repeat] == ["mobile"] * sum(row.repeat for row in officers)
            await world.check_invariants()

    run(story(), loop)


def test_when_both_die_mail_starts_at_once_and_texts_go_on_when_one_is_back(tmp_path: Path) -> None:
    loop = VirtualLoop()
    dead = [True]

    async def dying_together(outgoing: Outgoing, wire: Wire) -> Outcome:
        return BROKEN if dead[0] else await obedient_phone(outgoing, wire)

    async def story() -> None:
        async with running(
            tmp_path,
            loop=loop,
            settings=by_mail_after(tmp_path),
            recipients=with_mail(),
            gateways={UNICOM: dying_together, MOBILE: dying_together},
            mail=answering(Accepted()),
        ) as world:
            warning_id = await world.release(flood())
            await world.clock.sleep(3)
            assert world.mail is not None
            officers = {f"officer-{village}" for village in VILLAGES}
            assert officers <= {one.recipient for one in world.mail.sent}
            assert {one.recipient for one in world.mail.sent} >= {f"home-{VILLAGES[0]}-0"}, (
                "the public, too: it has a channel left"
            )
            assert max(row.number for row in await tries(world)) <= 3, "nobody's patience was spent for it"
            assert [
                one for one in world.daemon.problems() if one.startswith("sms: Nothing leaves by it but single tries.")
            ]
            bypassed = await world.one("SELECT count(*) FROM event WHERE kind = 'lane.bypassed'")
            assert bypassed == 1
            dead[0] = False
            await world.clock.sleep(120)
            assert {row.reached for row in await tries(world)} == {"satisfied"}
            for village in VILLAGES:
                officer = await world.delivery(warning_id, f"officer-{village}")
                assert Evidence(officer.evidence) is Evidence.ACKNOWLEDGED
            assert world.daemon.problems() == []
            assert world.daemon.degraded() == []
            kinds = [
                row.kind for row in await world.query("SELECT kind FROM event WHERE kind LIKE 'sender%' ORDER BY no")
            ]
            assert Counter(kinds) == {"sender.rests": 2, "sender.back": 2}
            await world.check_invariants()

    run(story(), loop)


def test_a_channel_that_says_itself_that_nothing_can_leave_is_passed_by_at_once(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(
            tmp_path,
            loop=loop,
            settings=by_mail_after(tmp_path),
            recipients=with_mail(),
            mail=answering(Accepted()),
        ) as world:
            world.phones.down = "No SMS can leave: the account is suspended."
            alert = flood(level="orange")
            await world.release(alert)
            await world.clock.sleep(2)
            assert world.mail is not None
            assert {f"officer-{village}" for village in VILLAGES} <= {one.recipient for one in world.mail.sent}
            assert world.phones.sent == []
            world.phones.down = None
            await world.clock.sleep(2)
            told = {one.recipient for one in world.phones.sent}
            assert {f"officer-{village}" for village in VILLAGES} <= told, "the first channel goes on"
            assert f"home-{VILLAGES[0]}-0" not in told, "a mail was enough for the public"
            await world.release(cancel_of(alert))
            await world.clock.sleep(2)
            await world.check_invariants()

    run(story(), loop)


def test_a_blue_warning_waits_for_its_channel(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(
            tmp_path,
            loop=loop,
            settings=by_mail_after(tmp_path),
            recipients=with_mail(),
            mail=answering(Accepted()),
        ) as world:
            world.phones.down = "No SMS can leave: the account is suspended."
            await world.release(flood(level="blue"))
            await world.clock.sleep(20)
            assert world.mail is not None
            assert world.mail.sent == []
            await world.check_invariants()

    run(story(), loop)


def test_too_fast_pauses_the_one_that_says_so_and_no_other(tmp_path: Path) -> None:
    loop = VirtualLoop()
    busy = Failed("429 too many requests", retry="throttled", retry_after_s=20.0)

    async def story() -> None:
        async with running(tmp_path, loop=loop, gateways={UNICOM: dying(3, busy), MOBILE: obedient_phone}) as world:
            await world.release(flood())
            await world.clock.sleep(5)
            rows = await tries(world)
            assert {row.state for row in rows if row.sender == "mobile"} == {"accepted"}
            latest = {row.id: row.state for row in rows}
            assert set(latest.values()) == {"accepted"}, "what one was too busy for went by the other"
            assert await world.one("SELECT max(failures) FROM leg WHERE channel = 'sms'") == 0
            assert not [at for at in world.gateways["unicom"].at_s if 1.0 < at < 20.0]
            await world.check_invariants()

    run(story(), loop)


def test_a_sender_without_weight_carries_only_what_the_others_cannot(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        gateways = {UNICOM: dying(20, Unknown("no answer")), Sender("reserve", weight=0): obedient_phone}
        async with running(tmp_path, loop=loop, gateways=gateways) as world:
            await world.release(flood(codes=VILLAGES[:2]))
            await world.clock.sleep(5)
            assert world.gateways["reserve"].sent == []
            assert len(world.gateways["unicom"].sent) >= 8
            await world.release(flood(identifier="QH-2"))
            await world.clock.sleep(200)
            assert world.gateways["reserve"].sent
            await world.check_invariants()

    run(story(), loop)


def test_slow_reports_shift_the_weight_and_it_drifts_back(tmp_path: Path) -> None:
    loop = VirtualLoop()
    slow = [60.0]

    async def late(outgoing: Outgoing, wire: Wire) -> Outcome:
        await wire.bring(Report("sms", outgoing.attempt, Evidence.DELIVERED), after_s=slow[0])
        return Accepted("gateway")

    async def story() -> None:
        settings = settings_for(tmp_path, "sms.rate_per_s = 4\n")
        async with running(
            tmp_path,
            loop=loop,
            settings=settings,
            recipients=recipients_csv(households=120),
            gateways={UNICOM: reporting, MOBILE: late},
        ) as world:
            await world.release(flood(level="blue"))
            await world.clock.sleep(30)
            before = Counter(one.address for one in world.gateways["mobile"].sent)
            fair = len(before) / max(1, len(world.gateways["unicom"].sent))
            assert 0.8 <= fair <= 1.2
            await world.clock.sleep(75)
            shifted = _share(world, from_s=90, to_s=105)
            assert shifted < 0.35, "reports that come after a minute are slow beside those after two seconds"
            slow[0] = 2.0
            await world.clock.sleep(75)
            assert _share(world, from_s=165, to_s=180) > shifted
            await world.check_invariants()

    run(story(), loop)


def _share(world: World, *, from_s: float, to_s: float) -> float:
    """Return which part of the texts of a time went by the second."""
    count = {name: sum(from_s <= at < to_s for at in wire.at_s) for name, wire in world.gateways.items()}
    assert sum(count.values()) > 20, count
    return count["mobile"] / sum(count.values())
