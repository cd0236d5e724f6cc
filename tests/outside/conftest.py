"""The rooms of the outside tests: one broker, one daemon, one watcher for all of them; each test takes villages of its own."""

from collections.abc import Iterator

import pytest

from tests.outside import county
from tests.outside.broker import Broker, running_broker
from tests.outside.cap import alert
from tests.outside.county import Village
from tests.outside.house import Api, House, copy_of, furnished, serving, until
from tests.outside.radio import Ear, loudspeaker, watching
from tests.outside.wire import Payload


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(tmp_path_factory.mktemp("broker"), ["warnd", *county.terminal_ids()]) as running:
        yield running


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A furnished house that never runs; the others have their directory from it."""
    return furnished(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory, plain: House, broker: Broker) -> Iterator[House]:
    """The daemon that most tests share."""
    with serving(copy_of(plain, tmp_path_factory.mktemp("house"), broker=broker)) as served:
        yield served


@pytest.fixture(scope="session")
def watcher(broker: Broker) -> Iterator[Ear]:
    with watching(broker) as ear:
        yield ear


@pytest.fixture(scope="session")
def untouched() -> Iterator[Village]:
    return county.villages()


@pytest.fixture
def village(untouched: Iterator[Village]) -> Village:
    """A village that no other test has touched."""
    return next(untouched)


@pytest.fixture
def other(untouched: Iterator[Village]) -> Village:
    """A second village of one's own."""
    return next(untouched)


@pytest.fixture(scope="session")
def api(house: House, early: Payload) -> Api:
    """A client that may release; the early warning goes first, so that it ages while the others are tested."""
    assert early["id"]
    return house.api("release")


@pytest.fixture(scope="session")
def early(house: House, untouched: Iterator[Village], broker: Broker) -> Payload:
    """A warning that is old enough, at the end of the tests, for `pending` to be over; village -> the reason expected then.

    One loudspeaker was never there, one only said that it received, one played while its officer stayed silent, one has no voice.
    """
    gone, mute, played, hoarse = (next(untouched) for _ in range(4))
    api = house.api("release")
    with (
        loudspeaker(broker, mute.terminal, [mute.code], quiet=True) as second,
        loudspeaker(broker, played.terminal, [played.code], quiet=True) as third,
        loudspeaker(broker, hoarse.terminal, [hoarse.code], quiet=True) as fourth,
    ):
        for each in (second, third, fourth):
            each.state(
                heartbeat_s=3600
            )  # Nothing is heard of them again, and they are not to be missed before the end.
        made = api.release(alert([each.code for each in (gone, mute, played, hoarse)], stem="early"))
        fourth.report(fourth.until_command("play", made["id"]), "failed", reason="no_voice")
        second.report(second.until_command("play", made["id"]), "received")
        third.play(third.until_command("play", made["id"]))
        third.until_ack(3)
        rows = {row["code"]: row["reason"] for row in api.coverage(made["id"])["unconfirmed"]}
        assert rows[played.code] == "pending", "its officer's text is under way"
        second.until_ack(1)
        until(lambda: len(house.texts(gone.officer_phone)), "a text")
    expected = {gone: "offline", mute: "not_played", played: "officer_silent", hoarse: "not_played"}
    return {"id": made["id"], "expected": {each.code: reason for each, reason in expected.items()}}
