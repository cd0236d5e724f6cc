"""An attempt of unknown fate is asked about before it is repeated, and a provider that does not answer holds up nobody."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from tests.simulation.acts import each, first
from tests.simulation.county import VILLAGES
from tests.simulation.documents import cancel_of, flood
from tests.simulation.virtual import VirtualLoop, run
from tests.simulation.world import AskedWire, Tell, World, accepts, obedient_phone, resumed, running
from warnd.channel import Accepted, Failed, Outcome, Unknown

V = VILLAGES
OFFICER, SECOND = f"officer-{V[0]}", f"officer-{V[1]}"
LOST = Unknown("time-out")


def _tells(*outcomes: Outcome) -> Tell:
    """A provider that gives these answers, the last one for ever."""
    left = list(outcomes)

    async def tell(_attempt: str) -> Outcome:
        return left.pop(0) if len(left) > 1 else left[0]

    return tell


async def _silent(_attempt: str) -> Outcome:
    await asyncio.Event().wait()
    return LOST


def _asked(world: World) -> Sequence[str]:
    assert isinstance(world.phones, AskedWire)
    return world.phones.asked


def _sent_at(world: World, recipient: str) -> list[float]:
    return [at for one, at in zip(world.phones.sent, world.phones.at_s, strict=True) if one.recipient == recipient]


def test_what_had_left_after_all_waits_for_its_proof_and_is_not_sent_again(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        lossy = each({OFFICER: first([LOST], accepts)})
        async with running(tmp_path, loop=loop, phones=lossy, tell=_tells(LOST, Accepted("found:1"))) as world:
            alert_id = await world.release(flood(codes=(V[0], V[1])))
            await world.clock.sleep(60)
            leg = await world.query("SELECT l.* FROM leg l WHERE l.address = '+8613800000000'")
            assert (leg[0].state, leg[0].tries, leg[0].attempts) == ("waiting", 1, 1)
            assert await world.one("SELECT count(*) FROM attempt WHERE reference = 'found:1'") == 1
            assert len(world.texts_to(OFFICER)) == 1
            assert (await world.delivery(alert_id, OFFICER)).evidence == 1
            assert len(_asked(world)) == 2
            await world.check_invariants()

    run(story(), loop)


def test_what_had_not_left_goes_out_at_once_and_is_no_repeat(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        lossy = each({OFFICER: first([LOST])})
        async with running(tmp_path, loop=loop, phones=lossy, tell=_tells(Failed("unheard of"))) as world:
            await world.release(flood(codes=(V[0],)))
            await world.clock.sleep(10)
            assert [one.repeated for one in world.texts_to(OFFICER)] == [False, False]
            times = _sent_at(world, OFFICER)
            assert times[1] - times[0] < 6
            await world.clock.sleep(30)
            await world.check_invariants()

    run(story(), loop)


def test_what_is_found_in_doubt_twice_is_asked_about_once(tmp_path: Path) -> None:
    """A worker that buries another takes up all that is in doubt, its own included."""
    loop = VirtualLoop()

    async def story() -> None:
        lossy = each({OFFICER: first([LOST], accepts)})
        async with running(tmp_path, loop=loop, phones=lossy, tell=_tells(Accepted("found:1"))) as world:
            await world.release(flood(codes=(V[0],)))
            await world.clock.sleep(1)
            await world.daemon._engine.lookups.start()
            await world.clock.sleep(30)
            assert len(_asked(world)) == 1
            await world.check_invariants()

    run(story(), loop)


def test_what_nobody_can_tell_is_repeated_after_its_wait_and_says_so(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        lossy = each({OFFICER: first([LOST])})
        async with running(tmp_path, loop=loop, phones=lossy, tell=_tells(LOST)) as world:
            await world.release(flood(codes=(V[0],)))
            await world.clock.sleep(110)
            assert [one.repeated for one in world.texts_to(OFFICER)] == [False, True]
            times = _sent_at(world, OFFICER)
            assert times[1] - times[0] >= 100
            assert len(_asked(world)) == 3
            await world.check_invariants()

    run(story(), loop)


def test_a_provider_that_never_answers_a_question_holds_up_neither_time_nor_others(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        lossy = each({"officer-": first([LOST])})
        async with running(tmp_path, loop=loop, phones=lossy, tell=_silent) as world:
            alert_id = await world.release(flood())
            await world.clock.sleep(115)
            for village in V:
                assert [one.repeated for one in world.texts_to(f"officer-{village}")] == [False, True]
            await world.clock.sleep(30)
            assert (await world.delivery(alert_id, OFFICER)).state == "satisfied"
            assert (await world.delivery(alert_id, "chief")).evidence >= 1
            await world.check_invariants()

    run(story(), loop)


def test_a_proof_that_came_in_the_meantime_makes_the_question_needless(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def lost_and_answered(outgoing: object, wire: object) -> Outcome:
        await obedient_phone(outgoing, wire)  # type: ignore[arg-type] # as every act here
        return LOST

    async def story() -> None:
        async with running(
            tmp_path, loop=loop, phones=each({"home-": lost_and_answered}), tell=_tells(Accepted())
        ) as world:
            await world.release(flood(codes=(V[0],)))
            await world.clock.sleep(30)
            assert _asked(world) == []
            await world.check_invariants()

    run(story(), loop)


def test_nothing_is_asked_about_what_was_cancelled(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        lossy = each({OFFICER: first([LOST])})
        async with running(tmp_path, loop=loop, phones=lossy, tell=_tells(Failed("unheard of"))) as world:
            alert = flood(codes=(V[0],))
            await world.release(alert)
            await world.clock.sleep(2)
            await world.release(cancel_of(alert))
            await world.clock.sleep(30)
            assert _asked(world) == []
            assert [one.message.kind for one in world.texts_to(OFFICER)] == ["warning", "cancel"]
            await world.check_invariants()

    run(story(), loop)


def test_what_a_crash_left_in_doubt_is_asked_about_after_the_start(tmp_path: Path) -> None:
    async def hung(_outgoing: object, _wire: object) -> Outcome:
        await asyncio.Event().wait()
        return LOST

    loop = VirtualLoop()

    async def before() -> None:
        async with running(tmp_path, loop=loop, phones=hung) as world:
            await world.release(flood(codes=(V[0],)))
            await world.clock.sleep(5)
            world.leave_behind(tmp_path / "after")

    run(before(), loop)
    again = VirtualLoop()

    async def after() -> None:
        (tmp_path / "after" / "warnd.toml").write_bytes((tmp_path / "warnd.toml").read_bytes())
        found = _tells(Accepted("found:after"))
        async with resumed(tmp_path / "after", loop=again, tell=found, seed=8) as world:
            await world.clock.sleep(8)
            assert len(_asked(world)) >= 1
            assert not world.texts_to(OFFICER)
            assert await world.one("SELECT count(*) FROM attempt WHERE state = 'unknown'") == 0
            await world.check_invariants()

    run(after(), again)


def test_the_same_seed_asks_the_same_questions(tmp_path: Path) -> None:
    def course(folder: Path) -> list[str]:
        folder.mkdir()
        loop = VirtualLoop()

        async def story() -> list[str]:
            lossy = each({"officer-": first([LOST, LOST]), "leader-": first([LOST])})
            async with running(folder, loop=loop, phones=lossy, tell=_tells(LOST, Failed("x"), Accepted())) as world:
                await world.release(flood())
                await world.clock.sleep(240)
                await world.check_invariants()
                return [row.hash for row in await world.query("SELECT hash FROM event ORDER BY no")]

        return run(story(), loop)

    assert course(tmp_path / "a") == course(tmp_path / "b")
