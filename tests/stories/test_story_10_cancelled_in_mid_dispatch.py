"""Scenario 10: cancelled in mid-dispatch. What was not sent stops, who was reached gets the Cancel, a stop keeps a later play silent."""

from pathlib import Path

from tests.fakes.broker import needs_mosquitto
from tests.fakes.countryside import DAEMON_USER, captured, countryside, terminal_of
from tests.simulation.county import VILLAGES
from tests.simulation.documents import cancel_of, flood
from tests.simulation.virtual import START, VirtualLoop, run, simulated
from tests.simulation.world import Wire, obedient_phone, running, settings_for, speakers_of
from warnd.channel import Outcome, Outgoing
from warnd.clock import SystemClock
from warnd.ledger.values import to_ms

VILLAGE = VILLAGES[0]
TERMINAL = terminal_of(VILLAGE)


async def _slow(outgoing: Outgoing, wire: Wire) -> Outcome:
    """A gateway that takes its time with each text, so that some are always under way."""
    await simulated(0.4)
    return await obedient_phone(outgoing, wire)


def test_the_unsent_stop_and_exactly_the_reached_are_told(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        settings = settings_for(tmp_path, "sms.rate_per_s = 8\n")
        async with running(
            tmp_path, loop=loop, phones=_slow, speakers=speakers_of(VILLAGES), settings=settings
        ) as world:
            alert_id = await world.release(flood())

            async def in_the_middle() -> bool:
                return len(world.phones.sent) >= 14

            await world.until(in_the_middle, within_s=30)
            cancel_id = await world.release(cancel_of(flood()))
            at = (await world.one("SELECT released_at FROM message WHERE id = :id", id=cancel_id) - to_ms(START)) / 1000
            await world.clock.sleep(60)
            sent = list(zip(world.phones.sent, world.phones.at_s, strict=True))
            assert max(when for one, when in sent if one.message.id == alert_id) <= at + 2
            reached = {one.recipient for one, _ in sent if one.message.id == alert_id}
            assert len(reached) < 27, "everybody was reached, so nothing was in the middle"
            assert {one.recipient for one, _ in sent if one.message.id == cancel_id} == reached
            first = min(when for one, when in sent if one.message.id == cancel_id)
            assert first <= at + 1, "the Cancel waits behind something"
            stop = min(
                when
                for one, when in zip(world.speakers.sent, world.speakers.at_s, strict=True)
                if one.message.id == cancel_id
            )
            assert stop <= first
            assert await world.state(alert_id) == "cancelled"
            await world.check_invariants()

    run(story(), loop)


@needs_mosquitto
async def test_at_a_loudspeaker_where_the_stop_comes_first_the_play_is_refused(tmp_path: Path) -> None:
    alert = flood(codes=(VILLAGE,), sent=SystemClock().now().replace(microsecond=0))
    async with countryside(tmp_path, villages=(VILLAGE,)) as centre:
        topic, released = f"warnd/v1/region/{VILLAGE}/command/+", []

        async def release() -> None:
            released.append(await centre.release(alert))

        play = await captured(centre, TERMINAL, topic, trigger=release)
        await centre.release(cancel_of(alert))

        async def stop_is_out() -> bool:
            out = (
                "SELECT 1 FROM leg l JOIN message m ON m.no = l.message_no WHERE m.kind = 'cancel' AND l.state = 'done'"
            )
            return bool(centre.rows(out))

        await centre.until(stop_is_out)
        async with centre.loudspeaker(VILLAGE):
            said = "SELECT stage FROM terminal_receipt WHERE message_id = :id AND stage = :stage AND coalesce(reason, '') = :reason"

            async def silent() -> bool:
                return bool(centre.rows("SELECT 1 FROM terminal_receipt WHERE stage = 'stopped'"))

            await centre.until(silent)
            await centre.publish(DAEMON_USER, f"warnd/v1/region/{VILLAGE}/command/{released[0]}", play)

            async def refused() -> bool:
                return bool(centre.rows(said, id=released[0], stage="failed", reason="superseded"))

            await centre.until(refused)
        assert not centre.rows("SELECT 1 FROM terminal_receipt WHERE stage IN ('playing', 'played')")
        assert not centre.said
