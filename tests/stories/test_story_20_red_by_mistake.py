"""Scenario 20: red was sent by mistake. Its retraction goes out at once to all who got it, and names those it could not reach."""

from datetime import timedelta
from pathlib import Path

from tests.simulation.acts import answering, each, first, reporting
from tests.simulation.county import VILLAGES
from tests.simulation.documents import flood
from tests.simulation.virtual import START, VirtualLoop, run
from tests.simulation.world import OPERATOR, World, obedient_phone, resumed, running, settings_for, speakers_of
from warnd.channel import Accepted, Failed, Outcome, Outgoing
from warnd.ledger import views
from warnd.ledger.values import to_ms
from warnd.model.submission import Fate

OFFICER = f"officer-{VILLAGES[2]}"
LEADER = "leader-519999102000"
_GONE = Failed("no such number", retry="permanent")


async def _unreached(world: World, cancel_id: str) -> set[str]:
    """Return whom the API names as not reached, as `warnd status` asks it."""
    page = await world.ledger.read(views.deliveries, warning_id=cancel_id, state="exhausted", limit=1000)
    assert page is not None
    return {one.recipient for one in page.deliveries}


def test_the_retraction_reaches_all_who_were_reached_and_names_the_rest(tmp_path: Path) -> None:
    loop = VirtualLoop()
    settings = settings_for(tmp_path, "sms.rate_per_s = 6\n")

    async def then_silent(outgoing: Outgoing, wire: object) -> Outcome:
        """A phone that is switched off between the warning and its retraction: texts are taken, nothing is delivered."""
        del outgoing, wire
        return Accepted("gateway")

    phones = each(
        {
            OFFICER: first([Accepted("gateway")], then=answering(_GONE)),
            LEADER: then_silent,
        },
        otherwise=reporting,
    )

    async def story() -> None:
        async with running(
            tmp_path, loop=loop, phones=phones, speakers=speakers_of(VILLAGES), settings=settings
        ) as world:
            red_id = await world.release(flood())
            await world.clock.sleep(4)
            reached = {one.recipient for one in world.phones.sent}
            assert 15 < len(reached) < 36 - 6, "it should be in mid-dispatch"
            retracted = await world.daemon.desk.cancel(red_id, kind="retract", reason="误操作。", by=OPERATOR)
            assert retracted.fate is Fate.RELEASED
            cancel_id = retracted.warning_id
            assert cancel_id is not None
            begun = await world.one("SELECT released_at FROM message WHERE id = :id", id=cancel_id)
            await world.clock.sleep(90)
            told = {
                one.recipient: (one, at)
                for one, at in zip(world.phones.sent, world.phones.at_s, strict=True)
                if one.message.id == cancel_id
            }
            assert set(told) == reached
            started = min(at for _, at in told.values())
            assert started - (begun - to_ms(START)) / 1000 < 2, "it must begin within two minutes, and begins at once"
            assert all("误发" in one.texts[0].text or "mistake" in one.texts[0].text for one, _ in told.values())
            stops = [
                at
                for one, at in zip(world.speakers.sent, world.speakers.at_s, strict=True)
                if one.message.id == cancel_id
            ]
            assert stops
            await world.clock.sleep(400)
            assert await _unreached(world, cancel_id) == {OFFICER, LEADER}
            await world.check_invariants()

    run(story(), loop)


def test_while_the_gateway_is_down_nobody_counts_as_told_and_the_end_is_named(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=obedient_phone, speakers=speakers_of(VILLAGES)) as world:
            red_id = await world.release(flood())
            await world.clock.sleep(10)
            world.phones.down = "The gateway is gone. Call it."
            told = await world.daemon.desk.cancel(red_id, kind="retract", reason="误操作。", by=OPERATOR)
            assert told.warning_id is not None
            await world.clock.sleep(240)
            waiting = await world.ledger.read(views.deliveries, warning_id=told.warning_id, state="open", limit=1000)
            assert waiting is not None
            assert {one.recipient for one in waiting.deliveries if not one.recipient.startswith("term-")} == {
                one.recipient for one in world.phones.sent
            }
            outlook = world.daemon.watchdog.outlook(told.warning_id)
            assert outlook is not None
            assert outlook.stuck == ["sms"]
        async with resumed(tmp_path, loop=loop, start=START + timedelta(hours=7)) as world:
            await world.clock.sleep(2)
            ended = await world.ledger.read(views.deliveries, warning_id=told.warning_id, state="expired", limit=1000)
            assert ended is not None
            assert {one.recipient for one in ended.deliveries} == {one.recipient for one in waiting.deliveries}
            await world.check_invariants()

    run(story(), loop)
