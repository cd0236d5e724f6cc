"""What is due and does not move is noticed, lane by lane, and a quiet night is not."""

import socket
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection, text

from tests.simulation.acts import BROKEN, answering, each
from tests.simulation.county import VILLAGES
from tests.simulation.documents import flood
from tests.simulation.virtual import START, VirtualLoop, run
from tests.simulation.world import World, accepts, obedient_phone, running, settings_for, speakers_of
from warnd.daemon.systemd import notify, watched_for_s
from warnd.dispatch.metrics import Metrics
from warnd.dispatch.watchdog import Watchdog
from warnd.ledger.values import to_ms

_GONE = "The gateway is gone. Call it."


def _parts(world: World) -> list[str]:
    return [one.part for one in world.daemon.watchdog.stalled()]


def test_a_quiet_night_and_a_finished_warning_alarm_nobody(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, speakers=speakers_of(VILLAGES)) as world:
            await world.clock.sleep(200)
            await world.release(flood(level="blue"))
            await world.clock.sleep(400)
            assert _parts(world) == []

    run(story(), loop)


def test_a_channel_that_is_down_is_an_alarm_only_once_something_waits_for_it_and_until_it_moves(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, speakers=speakers_of(VILLAGES)) as world:
            world.phones.down = _GONE
            await world.clock.sleep(300)
            assert _parts(world) == []
            await world.release(flood())
            await world.clock.sleep(110)
            assert _parts(world) == []
            await world.clock.sleep(20)
            assert _parts(world) == ["sms"]
            (trouble,) = world.daemon.watchdog.stalled()
            assert _GONE in trouble.says
            assert f"sms: {trouble.says}" in world.daemon.problems()
            assert world.daemon.registry.get_sample_value("warnd_stalled", {"part": "sms"}) == 1
            assert (world.daemon.registry.get_sample_value("warnd_due", {"lane": "sms"}) or 0) > 20
            world.phones.down = None
            await world.clock.sleep(10)
            assert _parts(world) == []

    run(story(), loop)


def test_a_gateway_that_refuses_everything_is_an_alarm_though_every_try_is_made_in_time(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=answering(BROKEN), speakers=speakers_of(VILLAGES)) as world:
            await world.release(flood())
            await world.clock.sleep(300)
            assert "sms" in _parts(world)

    run(story(), loop)


def test_one_number_that_fails_for_ever_is_no_alarm(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        phones = each({"chief": answering(BROKEN)}, otherwise=obedient_phone)
        async with running(tmp_path, loop=loop, phones=phones, speakers=speakers_of(VILLAGES)) as world:
            await world.release(flood())
            await world.clock.sleep(400)
            assert _parts(world) == []

    run(story(), loop)


def test_planning_that_does_not_come_on_is_an_alarm(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=accepts) as world:
            alert_id = await world.release(flood())
            await world.planned(alert_id)
            watchdog = Watchdog(
                world.ledger, world.clock, lanes={}, after_s=60, shared=False, metrics=Metrics(CollectorRegistry())
            )
            await world.ledger.write(_stand_still, warning_id=alert_id)
            await watchdog.look()
            await world.clock.sleep(61)
            await world.ledger.write(_stand_still, warning_id=alert_id)
            await watchdog.look()
            assert [one.part for one in watchdog.stalled()] == ["planner"]
            assert alert_id in watchdog.stalled()[0].says

    run(story(), loop)


def _stand_still(conn: Connection, *, warning_id: str) -> None:
    conn.execute(text("UPDATE message SET stage = 'audience:1', cursor = '{}' WHERE id = :id"), {"id": warning_id})


def test_a_worker_that_falls_silent_is_named_until_one_of_its_name_is_back(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=accepts) as world:
            watchdog = Watchdog(
                world.ledger,
                world.clock,
                lanes={},
                after_s=60,
                shared=True,
                metrics=Metrics(CollectorRegistry()),
                own_name="north",
            )
            for name, ago_s in (("north", 0), ("south", 1), ("west", 0)):
                await world.ledger.write(_seen, name=name, at=to_ms(START) - ago_s * 1000)
            await watchdog.look()
            assert watchdog.stalled() == []
            await world.clock.sleep(14)
            for name in ("north", "west"):
                await world.ledger.write(_seen, name=name, at=to_ms(world.clock.now()))
            await watchdog.look()
            assert [one.part for one in watchdog.stalled()] == ["worker south"]
            await world.ledger.write(_buried, name="south")
            await watchdog.look()
            assert [one.part for one in watchdog.stalled()] == ["worker south"], "it was forgotten with its row"
            await world.ledger.write(_seen, name="south", at=to_ms(world.clock.now()))
            await watchdog.look()
            assert watchdog.stalled() == []

    run(story(), loop)


def _seen(conn: Connection, *, name: str, at: int) -> None:
    conn.execute(
        text(
            "INSERT INTO worker (writer, name, version, started_at, seen_at) VALUES (:name, :name, '1', 0, :at) "
            "ON CONFLICT (writer) DO UPDATE SET seen_at = excluded.seen_at"
        ),
        {"name": name, "at": at},
    )


def _buried(conn: Connection, *, name: str) -> None:
    conn.execute(text("DELETE FROM worker WHERE name = :name"), {"name": name})


def test_the_end_that_it_foresees_follows_the_speed_and_what_goes_first(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        settings = settings_for(tmp_path, "sms.rate_per_s = 2\n")
        async with running(
            tmp_path, loop=loop, phones=accepts, speakers=speakers_of(VILLAGES), settings=settings
        ) as world:
            lesser_id = await world.release(flood(level="blue", identifier="QH-2"))
            red_id = await world.release(flood())
            await world.clock.sleep(12)
            red, lesser = (world.daemon.watchdog.outlook(one) for one in (red_id, lesser_id))
            assert red is not None
            assert lesser is not None
            assert red.done_at is not None
            assert lesser.done_at is not None
            assert red.done_at < lesser.done_at
            promised = (lesser.done_at - world.clock.now()).total_seconds()

            async def all_first_tries_out() -> bool:
                left = "SELECT count(*) FROM leg WHERE channel = 'sms' AND state = 'due' AND attempts = 0"
                return bool(await world.one(left) == 0)

            began = world.clock.monotonic()
            await world.until(all_first_tries_out, within_s=200)
            took = world.clock.monotonic() - began
            assert 0.4 * took < promised < 2.5 * took, (promised, took)

    run(story(), loop)


# ---- systemd


def test_systemd_is_told_by_its_socket_and_nothing_is_without_one(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(5)
        notify("READY=1", "STATUS=2 warnings open", env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(1000) == b"READY=1\nSTATUS=2 warnings open"
        notify("READY=1", env={})
        manager.setblocking(False)
        with pytest.raises(BlockingIOError):
            manager.recv(1000)


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "nonsense"}, None),
        ({}, None),
    ],
)
def test_systemd_says_how_often_it_wants_to_hear(env: dict[str, str], expected: Any) -> None:
    assert watched_for_s(env=env) == expected
