"""Scenario 4: the centre's uplink dies for 20 minutes during red. The queue survives, the screen says so, and resuming is clean."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

from tests.simulation.acts import reporting
from tests.simulation.county import COUNTY, VILLAGES, recipients_csv
from tests.simulation.documents import flood
from tests.simulation.virtual import START, VirtualLoop, run
from tests.simulation.world import World, accepts, running, settings_for, speakers_of
from warnd.ledger.values import to_ms

_SLOW = "sms.rate_per_s = 5\n"
_DEAD = "It cannot be reached. Check this machine's network."
_KIND, _EMAIL = 1, 7  # Columns of recipients.csv.


def _with_mail() -> str:
    head, *lines = recipients_csv(households=20).splitlines()
    rows = [line.split(",") for line in lines]
    for row in rows:
        row[_EMAIL] = f"{row[0]}@qinghe.example" if row[_KIND] == "person" else ""
    return "\n".join([head, *(",".join(row) for row in rows)]) + "\n"


def _uplink(world: World, *, down: bool) -> None:
    assert world.mail is not None
    for wire in (world.phones, world.speakers, world.mail):
        wire.down = _DEAD if down else None


def _all_sent(world: World) -> int:
    assert world.mail is not None
    return len(world.phones.sent) + len(world.speakers.sent) + len(world.mail.sent)


def test_the_queue_survives_the_screen_tells_the_truth_and_nothing_is_sent_twice_or_too_late(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(
            tmp_path,
            loop=loop,
            phones=accepts,
            speakers=speakers_of(VILLAGES),
            mail=reporting,
            settings=settings_for(tmp_path, _SLOW),
            recipients=_with_mail(),
        ) as world:
            short_id = await world.release(
                flood(identifier="QH-S", level="yellow", codes=(COUNTY,), life=timedelta(minutes=10))
            )
            red_id = await world.release(flood(identifier="QH-R", level="red"))
            await world.clock.sleep(4)
            _uplink(world, down=True)
            await world.clock.sleep(3)
            before, at_hand = _all_sent(world), Counter(one.recipient for one in world.phones.sent)
            await world.clock.sleep(8 * 60)
            assert _all_sent(world) == before, "something left though nothing could"
            shown = {one.split(":")[0] for one in world.daemon.problems()}
            assert {"sms"} <= shown, "the screen keeps quiet"
            outlook = world.daemon.watchdog.outlook(red_id)
            assert outlook is not None
            assert outlook.due > 100
            assert (outlook.done_at, "sms" in outlook.stuck) == (None, True), "it promises an end that nobody can know"
            unsent = await world.one(
                "SELECT count(*) FROM leg l JOIN message m ON m.no = l.message_no WHERE m.id = :id AND l.attempts = 0",
                id=red_id,
            )
            assert unsent > 100, "the queue is gone"
            await world.clock.sleep(12 * 60)
            assert await world.state(short_id) == "expired"
            _uplink(world, down=False)
            back = world.clock.monotonic()
            await world.clock.sleep(120)
            assert not world.daemon.watchdog.stalled()
            late = [
                one
                for wire in (world.phones, world.speakers, world.mail)
                if wire is not None
                for one, at in zip(wire.sent, wire.at_s, strict=True)
                if one.message.id == short_id and at > 600
            ]
            assert not late, "somebody was told of a warning that had ended"
            homes = Counter(
                one.recipient
                for one in world.phones.sent
                if one.message.id == red_id and (one.recipient or "").startswith("home-")
            )
            assert len(homes) == 20 * len(VILLAGES), "somebody was lost"
            assert set(homes.values()) == {1}, "somebody was told twice"
            again = [
                one
                for one, at in zip(world.phones.sent, world.phones.at_s, strict=True)
                if at > back and one.recipient in at_hand and one.message.id == red_id and not one.repeated
            ]
            assert not again, "a repeat does not say that it is one"
            breached = await world.query(
                "SELECT 1 FROM delivery d JOIN message m ON m.no = d.message_no WHERE m.id = :id AND d.breached_at IS NOT NULL",
                id=red_id,
            )
            assert breached, "what came 20 minutes late is shown as late"
            assert await world.one("SELECT max(submitted_at) FROM attempt") > to_ms(START) + 20 * 60 * 1000
            await world.check_invariants()

    run(story(), loop)
