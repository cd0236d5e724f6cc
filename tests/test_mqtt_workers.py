"""Several workers of one store at one mosquitto: each word of a loudspeaker goes to one of them, and a dead one keeps none for itself."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from channels.mqtt.options import LineOptions
from tests.fakes.broker import ADMIN, ADMIN_PASSWORD, Broker, needs_mosquitto, running_broker
from tests.fakes.mqtt import PASSWORD, USERS
from tests.fakes.mqtt_daemon import Daemon, daemon, live
from tests.test_mqtt_receipts import Terminal, terminal
from tests.waiting import until
from warnd.channel import Playback, Presence
from warnd.cli.broker_dynsec import Admin, Login, enrol
from warnd.cli.broker_rights import daemon_rights
from warnd.model.loudspeaker import LIVE_ROOT

pytestmark = needs_mosquitto

SHARE = 20


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path, users=USERS) as running:
        yield running


def _of(broker: Broker, worker: str) -> LineOptions:
    return replace(live(broker.host, broker.port), worker=worker, session_expiry_s=3600)


def _numbers(*workers: Daemon) -> list[int]:
    return sorted(one.n for worker in workers for one in worker.books.sunk if isinstance(one, Playback))


def _states(worker: Daemon) -> list[str]:
    return [one.terminal for one in worker.books.sunk if isinstance(one, Presence)]


async def _says(village: Terminal, first: int, last: int) -> None:
    for n in range(first, last + 1):
        await village.says(n)


async def test_each_receipt_goes_to_one_worker_and_each_worker_gets_some(broker: Broker) -> None:
    alpha, beta = daemon(_of(broker, "alpha")), daemon(_of(broker, "beta"))
    async with alpha.running(), beta.running(), terminal(broker) as village:
        await _says(village, 1, SHARE)
        await until(lambda: len(_numbers(alpha, beta)) >= SHARE)
        assert _numbers(alpha, beta) == list(range(1, SHARE + 1))
        assert _numbers(alpha)
        assert _numbers(beta)


async def test_what_a_dead_workers_session_holds_goes_to_whoever_takes_it_over(broker: Broker) -> None:
    alpha, beta = daemon(_of(broker, "alpha")), daemon(_of(broker, "beta"))
    async with alpha.running(), terminal(broker) as village:
        async with beta.running():
            await _says(village, 1, SHARE)
            await until(lambda: len(_numbers(alpha, beta)) >= SHARE)
        await _says(village, SHARE + 1, 2 * SHARE)
        broker_gave_beta_its_share = SHARE // 2
        await until(lambda: len(_numbers(alpha, beta)) >= 2 * SHARE - broker_gave_beta_its_share)
        await alpha.channel.take_over("beta")
        assert _numbers(alpha, beta) == list(range(1, 2 * SHARE + 1))
        known = len(_numbers(alpha))
        await _says(village, 2 * SHARE + 1, 3 * SHARE)
        await until(lambda: len(_numbers(alpha)) == known + SHARE)


async def test_who_has_ended_takes_nothing_over(broker: Broker) -> None:
    """What it took it could not confirm; the session stays for whoever lives."""
    alpha, beta = daemon(_of(broker, "alpha")), daemon(_of(broker, "beta"))
    async with alpha.running(), beta.running():
        pass
    async with terminal(broker) as village:
        await _says(village, 1, SHARE)
    await alpha.channel.take_over("beta")
    assert _numbers(alpha) == []
    async with alpha.running():
        await alpha.channel.take_over("beta")
        await until(lambda: _numbers(alpha) == list(range(1, SHARE + 1)))


async def test_a_new_worker_learns_of_terminals_that_were_there_before_it(broker: Broker) -> None:
    alpha = daemon(_of(broker, "alpha"))
    async with terminal(broker) as village:
        await village.is_there()
        async with alpha.running():
            await until(lambda: village.name in _states(alpha), timeout_s=5)


async def test_trying_the_broker_takes_no_word_from_the_workers(broker: Broker) -> None:
    alpha, trying = daemon(_of(broker, "alpha")), daemon(_of(broker, "beta"))
    async with alpha.running(), terminal(broker) as village:

        async def try_it() -> None:
            for _ in range(3):
                (finding,) = await trying.channel.probe()
                assert finding.told, finding.wrong

        async with asyncio.TaskGroup() as group:
            group.create_task(try_it())
            await _says(village, 1, SHARE)
        await until(lambda: _numbers(alpha) == list(range(1, SHARE + 1)))


async def test_dynamic_security_lets_workers_share(tmp_path: Path) -> None:
    with running_broker(tmp_path, users={}, configuration="dynamic-security.conf") as broker:
        admin = Admin(broker.host, broker.port, ADMIN, ADMIN_PASSWORD)
        await asyncio.to_thread(enrol, admin, [Login("warnd", PASSWORD, daemon_rights(LIVE_ROOT))])
        alpha = daemon(_of(broker, "alpha"))
        async with alpha.running():
            assert alpha.channel.problem() is None


async def test_a_broker_that_lets_nobody_share_is_found_by_trying_it(tmp_path: Path) -> None:
    """As it was set up for one daemon, by an earlier version."""
    alone = [right for right in daemon_rights(LIVE_ROOT) if "$share" not in right["topic"]]
    with running_broker(tmp_path, users={}, configuration="dynamic-security.conf") as broker:
        admin = Admin(broker.host, broker.port, ADMIN, ADMIN_PASSWORD)
        await asyncio.to_thread(enrol, admin, [Login("warnd", PASSWORD, alone)])
        (finding,) = await daemon(_of(broker, "alpha")).channel.probe()
        assert finding.wrong is not None
        assert "$share/" in finding.wrong
        assert "not authorized" in finding.wrong
