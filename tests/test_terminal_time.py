"""How long commands live where clocks stop with the power (DESIGN §9)."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fakes.loudspeaker import NOW, PLAY, STRANGE_KEY, to_terminal
from tests.fakes.manual_clock import ManualClock
from tests.fakes.village import Village
from warnd.model.loudspeaker import ClockState, Stage, Verb

YEAR_1970 = datetime(1970, 1, 1, tzinfo=UTC)
PASS_S = 21.2


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    """A village whose machine believes in 1970."""
    with closing(Village(tmp_path, clock=ManualClock(YEAR_1970))) as village:
        yield village


def tell_time(village: Village, at: datetime, *, boot_id: str | None = None) -> None:
    """Send a `time`."""
    village.send(replace(to_terminal(Verb.TIME), boot_id=boot_id or village.terminal.boot_id, at=at))


def clock_state(village: Village) -> ClockState | None:
    return village.terminal.state().clock


def test_a_machine_in_1970_knows_that_it_does_not_know_the_time(village: Village) -> None:
    assert clock_state(village) is ClockState.UNSYNCED


def test_a_machine_whose_clock_nobody_sets_is_not_believed(tmp_path: Path) -> None:
    with closing(Village(tmp_path, trust_clock=False)) as village:
        assert clock_state(village) is ClockState.UNSYNCED


def test_a_clock_that_is_set_later_is_believed_from_then_on(village: Village) -> None:
    village.clock.set_wall(NOW)
    assert clock_state(village) is ClockState.SYNCED


async def test_without_a_clock_a_play_lives_for_its_ttl(village: Village) -> None:
    async with village.awake():
        village.send(replace(PLAY, ttl_s=100, every_s=50))
        await village.clock.advance(50)
        assert village.told()[-1] == "flood-1 played"
        await village.clock.advance(7200)
        assert village.told() == ["flood-1 playing", "flood-1 played"]


async def test_without_a_clock_a_play_lives_no_longer_than_the_broker_says(village: Village) -> None:
    async with village.awake():
        village.send(PLAY, expiry_s=5)
        await village.clock.advance(60)
        assert village.told() == ["flood-1 received", "flood-1 playing", "flood-1 stopped expired"]


def test_without_a_clock_a_play_with_no_life_left_is_refused(village: Village) -> None:
    village.send(PLAY, expiry_s=0)
    assert village.told() == ["flood-1 failed expired"]


async def test_without_a_clock_the_same_bytes_again_give_no_new_life(village: Village) -> None:
    async with village.awake():
        compact = village.send(replace(PLAY, ttl_s=10, repeat=5))
        await village.clock.advance(8)
        village.send_raw(compact, topic="warnd/v1/region/510181102007/command/flood-1")
        await village.clock.advance(60)
        assert village.told() == ["flood-1 received", "flood-1 playing", "flood-1 stopped expired"]


def test_a_signed_time_for_this_start_is_taken(village: Village) -> None:
    tell_time(village, NOW)
    assert clock_state(village) is ClockState.SYNCED
    assert village.terminal.state().at == NOW
    assert village.told() == []
    village.send(replace(PLAY, expires_at=NOW))
    assert village.told() == ["flood-1 failed expired"]


async def test_the_taken_time_runs_on(village: Village) -> None:
    tell_time(village, NOW)
    await village.clock.advance(90)
    village.send(PLAY)
    assert village.kept()[-1].at == NOW + timedelta(seconds=90)


def test_a_time_for_another_start_is_refused(village: Village) -> None:
    tell_time(village, NOW, boot_id="yesterday")
    assert village.told() == ["failed replayed"]
    assert clock_state(village) is ClockState.UNSYNCED


def test_a_time_under_an_unknown_key_is_refused(village: Village) -> None:
    village.send(replace(to_terminal(Verb.TIME), boot_id=village.terminal.boot_id, at=NOW), key=STRANGE_KEY)
    assert village.told() == ["failed unknown_key"]
    assert clock_state(village) is ClockState.UNSYNCED


def test_time_never_falls_below_the_newest_verified(village: Village) -> None:
    tell_time(village, NOW)
    tell_time(village, NOW - timedelta(days=1))
    assert village.terminal.state().at == NOW


def test_time_never_falls_below_the_newest_verified_of_an_earlier_start(village: Village) -> None:
    tell_time(village, NOW)
    again = village.restarted(wall=YEAR_1970)
    assert clock_state(again) is ClockState.UNSYNCED
    again.send(replace(PLAY, expires_at=NOW - timedelta(seconds=1)))
    assert again.told() == ["flood-1 failed expired"]
    assert again.kept()[0].at == NOW
    again.close()


def test_a_machine_clock_behind_the_newest_verified_is_wrong(village: Village) -> None:
    tell_time(village, NOW)
    again = village.restarted(wall=NOW - timedelta(days=1))
    assert clock_state(again) is ClockState.UNSYNCED
    again.close()


async def test_after_a_power_cut_without_a_clock_a_play_waits_for_time_or_for_the_broker(village: Village) -> None:
    """Nobody knows how long the power was off."""
    village.send(PLAY)
    again = village.restarted(wall=YEAR_1970)
    again.told()
    async with again.awake():
        await again.clock.advance(3600)
        assert again.told() == []
        tell_time(again, NOW + timedelta(minutes=30))
        await again.clock.advance(1)
        assert again.told() == ["flood-1 playing"]
    again.close()


async def test_after_a_power_cut_without_a_clock_the_retained_command_lets_it_go_on(village: Village) -> None:
    compact = village.send(PLAY)
    again = village.restarted(wall=YEAR_1970)
    async with again.awake():
        again.send_raw(compact, topic="warnd/v1/region/510181102007/command/flood-1", retained=True, expiry_s=600)
        await again.clock.advance(PASS_S)
        assert again.told()[-1] == "flood-1 played"
    again.close()


async def test_rounds_that_lost_count_of_their_life_go_on_when_the_broker_tells_it(village: Village) -> None:
    async with village.awake():
        compact = village.send(replace(PLAY, every_s=600))
        await village.clock.advance(PASS_S)
    again = village.restarted(wall=YEAR_1970)
    again.told()
    async with again.awake():
        again.send_raw(compact, topic="warnd/v1/region/510181102007/command/flood-1", retained=True, expiry_s=900)
        await again.clock.advance(601)
        assert "flood-1 playing" in again.told()
        await again.clock.advance(7200)
        assert [receipt.stage for receipt in again.kept()].count(Stage.PLAYED) == 2
    again.close()


async def test_what_expired_while_the_power_was_off_is_reported_and_never_sounds(village: Village) -> None:
    village.clock.set_wall(NOW)
    village.send(PLAY)
    again = village.restarted(wall=NOW + timedelta(days=1))
    again.told()
    async with again.awake():
        await again.clock.advance(60)
        assert again.told() == ["flood-1 failed expired"]
    again.close()
