"""All workers of a store live by its clock, whatever their machines' clocks say."""

from datetime import datetime, timedelta

from structlog.testing import capture_logs

from tests.fakes.manual_clock import ManualClock
from warnd.daemon.store_clock import StoreClock
from warnd.ledger.values import to_ms
from warnd.ledger.workers import Reading

AHEAD = timedelta(hours=1)


def _reading(clock: ManualClock, at: datetime, *, took_s: float = 0.01) -> Reading:
    return Reading(to_ms(at), clock.monotonic(), took_s)


def _machine(off: timedelta) -> tuple[ManualClock, datetime]:
    """Return a machine whose clock is off, and the store's time."""
    machine = ManualClock()
    return machine, machine.now() - off


async def test_time_is_the_stores_and_goes_on_by_the_machines_seconds() -> None:
    machine, store = _machine(AHEAD)
    clock = StoreClock(machine, _reading(machine, store))
    await machine.advance(2.5)
    assert clock.now() == store + timedelta(seconds=2.5)
    machine.set_wall(store - AHEAD)
    assert clock.now() == store + timedelta(seconds=2.5)


async def test_a_store_whose_clock_changed_is_followed() -> None:
    """A standby that was promoted has a clock of its own."""
    machine, store = _machine(timedelta())
    clock = StoreClock(machine, _reading(machine, store))
    await machine.advance(2)
    clock.set(_reading(machine, store - timedelta(seconds=30)))
    assert clock.now() == store - timedelta(seconds=30)


async def test_a_reading_that_took_long_says_nothing() -> None:
    machine, store = _machine(timedelta())
    clock = StoreClock(machine, _reading(machine, store))
    await machine.advance(2)
    clock.set(_reading(machine, store - timedelta(seconds=30), took_s=5))
    assert clock.now() == store + timedelta(seconds=2)


async def test_how_far_the_machine_is_off_is_told_once_and_when_it_is_right_again() -> None:
    machine, store = _machine(AHEAD)
    with capture_logs() as logs:
        clock = StoreClock(machine, _reading(machine, store))
        assert clock.off_s == AHEAD.total_seconds()
        clock.set(_reading(machine, store))
        machine.set_wall(store)
        clock.set(_reading(machine, store))
    assert [line["event"] for line in logs] == ["machine_clock_wrong", "machine_clock_right"]
    assert logs[0]["off_s"] == AHEAD.total_seconds()


async def test_a_machine_that_is_nearly_right_is_not_told_of() -> None:
    machine, store = _machine(timedelta(seconds=1.5))
    with capture_logs() as logs:
        StoreClock(machine, _reading(machine, store))
    assert not logs
