"""What terminals say, through a real mosquitto: believed only when it is signed, confirmed only when it is committed."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiomqtt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from structlog.testing import capture_logs

from channels.mqtt.keyring import KEPT_S
from channels.mqtt.session import RECEIVE_MAXIMUM
from tests.fakes.broker import Broker, needs_mosquitto, running_broker
from tests.fakes.loudspeaker import NOW, STRANGE_KEY, TERMINAL, TERMINAL_KEY, TRUST, key
from tests.fakes.mqtt import PASSWORD, USERS, client
from tests.fakes.mqtt_daemon import NEIGHBOUR, Books, StoppedClock, daemon, drill, live
from tests.waiting import until
from warnd.channel import Playback, Presence
from warnd.model.loudspeaker import (
    DRILL_ROOT,
    LIVE_ROOT,
    ClockState,
    Command,
    Receipt,
    Stage,
    TerminalState,
    Verb,
    public_bytes,
    receipt_topic,
    sign_receipt,
    state_text,
    state_topic,
    terminal_command_topic,
    verify_command,
)

pytestmark = needs_mosquitto
STRANGER = "T-9999"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path, users={**USERS, STRANGER: PASSWORD, NEIGHBOUR: PASSWORD}) as running:
        yield running


@dataclass
class Terminal:
    """A terminal that says whatever a test wants, and hears what is said to it."""

    client: aiomqtt.Client
    name: str = TERMINAL
    root: str = LIVE_ROOT
    boot_id: str = "boot-1"

    async def says(
        self, n: int, *, key: Ed25519PrivateKey = TERMINAL_KEY, topic: str | None = None, **change: object
    ) -> None:
        """Publish receipt `n` of this boot."""
        receipt = Receipt(
            root=self.root,
            terminal=self.name,
            boot_id=self.boot_id,
            n=n,
            stage=Stage.PLAYED,
            at=NOW,
            message_id="flood-1",
            seq=1,
            pass_done=1,
            played_ms=9000,
        )
        signed = sign_receipt(replace(receipt, **change), key)  # type: ignore[arg-type]  # any field of a receipt
        await self.client.publish(topic or receipt_topic(self.root, self.name), signed, qos=1)

    async def is_there(self, *, clock: ClockState = ClockState.SYNCED, online: bool = True) -> None:
        """Publish a state."""
        state = TerminalState(
            terminal=self.name, online=online, boot_id=self.boot_id, heartbeat_s=60, clock=clock, volume=70, at=NOW
        )
        await self.client.publish(state_topic(self.root, self.name), state_text(state), qos=1, retain=True)

    async def hears(self) -> Command:
        """Return the next command to this terminal."""
        message = await asyncio.wait_for(anext(self.client.messages), 10)
        assert isinstance(message.payload, bytes)
        return verify_command(message.payload, TRUST)


@asynccontextmanager
async def terminal(broker: Broker, *, name: str = TERMINAL, root: str = LIVE_ROOT) -> AsyncIterator[Terminal]:
    port = broker.port if root == LIVE_ROOT else broker.drill_port
    async with client(broker.host, port, user=name) as connected:
        await connected.subscribe(terminal_command_topic(root, name), qos=1)
        yield Terminal(connected, name, root)


def _numbers(books: Books) -> list[int]:
    return [receipt.n for receipt in books.sunk if isinstance(receipt, Playback)]


async def test_a_receipt_is_committed_whole_and_then_confirmed_to_its_terminal(broker: Broker) -> None:
    async with daemon(live(broker.host, broker.port)).running() as centre, terminal(broker) as village:
        await village.says(1)
        ack = await village.hears()
    (playback,) = centre.books.sunk
    assert isinstance(playback, Playback)
    assert playback == Playback(
        channel="mqtt",
        drill=False,
        terminal=TERMINAL,
        boot_id="boot-1",
        n=1,
        message_id="flood-1",
        seq=1,
        stage="played",
        pass_done=1,
        played_ms=9000,
        amplifier="unknown",
        reason=None,
        at=NOW,
        raw=playback.raw,
    )
    assert playback.raw.count(".") == 2
    assert (ack.verb, ack.boot_id, ack.n, ack.to) == (Verb.ACK, "boot-1", 1, f"terminal:{TERMINAL}")


async def test_only_contiguous_receipts_are_confirmed(broker: Broker) -> None:
    async with daemon(live(broker.host, broker.port)).running() as centre, terminal(broker) as village:
        centre.books.n = 0  # As the ledger says while receipt 1 is missing.
        await village.says(2)
        await until(lambda: _numbers(centre.books) == [2])
        centre.books.n = 2
        await village.says(1)
        assert (await village.hears()).n == 2


async def test_receipts_that_came_together_are_confirmed_together(broker: Broker) -> None:
    async with daemon(live(broker.host, broker.port)).running() as centre, terminal(broker) as village:
        centre.books.gate = asyncio.Event()
        for n in range(1, 31):
            await village.says(n)
        centre.books.gate.set()
        heard = [(await village.hears()).n]
        while heard[-1] != 30:
            heard.append((await village.hears()).n)
    assert _numbers(centre.books) == list(range(1, 31))
    assert len(heard) < 10


async def test_receipts_of_one_terminal_stay_in_order_while_others_are_committed_at_once(broker: Broker) -> None:
    async with (
        daemon(live(broker.host, broker.port)).running() as centre,
        terminal(broker) as village,
    ):
        centre.books.fails, centre.books.fails_for = 2, TERMINAL
        for n in range(1, 6):
            await village.says(n)
        await until(lambda: len(_numbers(centre.books)) == 5)
    assert _numbers(centre.books) == [1, 2, 3, 4, 5]


async def test_a_receipt_that_the_ledger_could_not_take_is_never_lost(broker: Broker) -> None:
    async with daemon(live(broker.host, broker.port)).running() as centre, terminal(broker) as village:
        centre.books.fails = 10
        await village.says(1)
        assert (await village.hears()).n == 1
    assert _numbers(centre.books) == [1]
    assert centre.books.fails == 0


async def test_a_receipt_that_is_stuck_holds_up_no_other_terminal(broker: Broker) -> None:
    """The broker gives us so many at a time, so that waiting in line for the stuck one would end in silence."""
    many = range(1, RECEIVE_MAXIMUM + 50)
    async with (
        daemon(live(broker.host, broker.port)).running() as centre,
        terminal(broker) as village,
        terminal(broker, name=NEIGHBOUR) as neighbour,
    ):
        centre.books.fails, centre.books.fails_for = 1_000_000, TERMINAL
        await village.says(1)
        for n in many:
            await neighbour.says(n)
        await until(lambda: _numbers(centre.books) == list(many))
        centre.books.fails = 0
        await until(lambda: len(centre.books.sunk) == len(many) + 1)
    async with daemon(live(broker.host, broker.port)).running() as again, terminal(broker) as village:
        await village.says(2)
        await until(lambda: again.books.sunk)
    assert _numbers(again.books) == [2]


async def test_a_receipt_that_comes_again_after_a_break_is_not_kept_twice_meanwhile(broker: Broker) -> None:
    """Else each break while the ledger is down would add another copy of all that is waiting."""
    async with daemon(live(broker.host, broker.port)).running() as centre:
        centre.books.fails = 1_000_000
        async with terminal(broker) as village:
            await village.says(1)
            await until(lambda: centre.books.fails < 1_000_000)
        for _ in range(2):
            broker.stop()
            await until(lambda: centre.channel.problem() is not None)
            broker.start()
            failing_at = centre.books.fails
            await until(lambda: centre.channel.problem() is None)
            await until(lambda at=failing_at: centre.books.fails < at)  # type: ignore[misc]  # a default binds the loop's value
        centre.books.fails = 0
        async with terminal(broker) as village:
            await village.says(2)
            await until(lambda: 2 in _numbers(centre.books))
    assert _numbers(centre.books) == [1, 2]


async def test_a_ledger_that_hangs_is_asked_again_after_the_time_out(broker: Broker) -> None:
    impatient = replace(live(broker.host, broker.port), sink_timeout_s=0.05)
    async with daemon(impatient).running() as centre, terminal(broker) as village:
        centre.books.gate = asyncio.Event()
        with capture_logs() as logs:
            await village.says(1)
            await until(lambda: sum(entry["event"] == "receipt_not_committed" for entry in logs) >= 2)
        centre.books.gate.set()
        assert (await village.hears()).n == 1


async def test_what_was_not_committed_comes_again_to_the_next_daemon(broker: Broker) -> None:
    async with terminal(broker) as village:
        first = daemon(live(broker.host, broker.port))
        async with first.running():
            first.books.gate = asyncio.Event()  # Never opened: this daemon dies with the receipt in its hands.
            await village.says(1)
            await _taken(broker)
        async with daemon(live(broker.host, broker.port)).running() as second:
            await until(lambda: _numbers(second.books) == [1])
    assert first.books.sunk == []


async def _taken(broker: Broker) -> None:
    """Return when the broker has given the receipt to the daemon."""
    await asyncio.to_thread(broker.wait_for, "Sending PUBLISH to warnd ")


async def test_what_came_while_the_daemon_was_away_waits_at_the_broker(broker: Broker) -> None:
    async with daemon(live(broker.host, broker.port)).running():
        pass
    async with terminal(broker) as village:
        await village.says(1)
        async with daemon(live(broker.host, broker.port)).running() as centre:
            await until(lambda: _numbers(centre.books) == [1])
            assert centre.forgotten == []


@pytest.mark.parametrize("lie", ["forged", "of another key", "of another root", "another's name", "garbage", "empty"])
async def test_a_lie_is_confirmed_to_the_broker_counted_and_never_believed(broker: Broker, lie: str) -> None:
    async with daemon(live(broker.host, broker.port)).running() as centre, terminal(broker) as village:
        with capture_logs() as logs:
            await _tell(village, lie)
            await village.says(2)
            await until(lambda: centre.books.sunk)
    assert _numbers(centre.books) == [2]
    refused = [entry for entry in logs if entry["event"] == "receipt_refused"]
    assert [(entry["terminal"], entry["log_level"]) for entry in refused] == [(TERMINAL, "warning")]
    assert refused[0]["reason"]
    async with daemon(live(broker.host, broker.port)).running() as again, terminal(broker) as village:
        await village.says(3)
        await until(lambda: again.books.sunk)
    assert _numbers(again.books) == [3]


async def _tell(village: Terminal, lie: str) -> None:
    topic = receipt_topic(LIVE_ROOT, TERMINAL)
    match lie:
        case "forged":
            good = sign_receipt(
                Receipt(root=LIVE_ROOT, terminal=TERMINAL, boot_id="b", n=1, stage=Stage.PLAYED, at=NOW), TERMINAL_KEY
            )
            await village.client.publish(topic, good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB"), qos=1)
        case "of another key":
            await village.says(1, key=STRANGE_KEY)
        case "of another root":
            await village.says(1, root=DRILL_ROOT)
        case "another's name":
            await village.says(1, terminal=STRANGER, topic=topic)
        case "garbage":
            await village.client.publish(topic, bytes(range(256)), qos=1)
        case _:
            await village.client.publish(topic, b"", qos=1)


async def test_a_terminal_that_nobody_registered_is_not_believed(broker: Broker) -> None:
    async with (
        daemon(live(broker.host, broker.port)).running() as centre,
        terminal(broker, name=STRANGER) as stranger,
        terminal(broker) as village,
    ):
        await stranger.says(1)
        await village.says(1)
        await until(lambda: centre.books.sunk)
        await village.says(2)
        await until(lambda: len(centre.books.sunk) == 2)
    assert {receipt.terminal for receipt in centre.books.sunk if isinstance(receipt, Playback)} == {TERMINAL}


async def test_a_receipt_that_is_committed_is_answered_again_and_asks_the_ledger_no_more(broker: Broker) -> None:
    async with daemon(live(broker.host, broker.port)).running() as centre, terminal(broker) as village:
        for _ in range(2):
            await village.says(1)
            assert (await village.hears()).n == 1
        await village.says(2)
        assert (await village.hears()).n == 2
    assert _numbers(centre.books) == [1, 2]


async def test_a_changed_receipt_under_a_known_number_is_judged_by_the_ledger(broker: Broker) -> None:
    async with daemon(live(broker.host, broker.port)).running() as centre, terminal(broker) as village:
        await village.says(1)
        await village.says(1, played_ms=1)
        await until(lambda: _numbers(centre.books) == [1, 1])


async def test_what_an_older_key_signed_is_believed_while_it_overlaps_and_a_strangers_never(broker: Broker) -> None:
    async with daemon(live(broker.host, broker.port)).running() as centre, terminal(broker) as village:
        centre.older_keys[TERMINAL] = (public_bytes(key(9)),)
        for n, signer in ((1, key(9)), (2, TERMINAL_KEY), (3, STRANGE_KEY), (4, key(9))):
            await village.says(n, key=signer)
        await until(lambda: _numbers(centre.books) == [1, 2, 4])
        centre.older_keys.clear()
        await village.says(5, key=key(9))
        await village.says(6)
        await until(lambda: _numbers(centre.books) == [1, 2, 4, 6])


async def test_a_revoked_key_is_believed_half_a_minute_at_the_longest(broker: Broker) -> None:
    clock = StoppedClock()
    async with daemon(live(broker.host, broker.port), clock=clock).running() as centre, terminal(broker) as village:
        await village.says(1)
        await until(lambda: _numbers(centre.books) == [1])
        centre.keys.clear()
        clock.moment_s += KEPT_S
        await village.says(2)
        await village.is_there()
        await until(lambda: len(centre.books.sunk) == 2)
    assert _numbers(centre.books) == [1]


async def test_a_mad_terminal_does_not_fill_the_log(broker: Broker) -> None:
    async with daemon(live(broker.host, broker.port)).running() as centre, terminal(broker) as village:
        with capture_logs() as logs:
            for n in range(1, 101):
                await village.says(n, key=STRANGE_KEY)
            await village.says(101)
            await until(lambda: centre.books.sunk)
    counts = [entry["count"] for entry in logs if entry["event"] == "receipt_refused"]
    assert counts == [1, 2, 4, 8, 16, 32, 64]


async def test_presence_and_the_will_reach_the_ledger(broker: Broker) -> None:
    async with daemon(live(broker.host, broker.port)).running() as centre:
        will = state_text(TerminalState(terminal=TERMINAL, online=False, boot_id="boot-1"))
        dying = client(broker.host, broker.port, user=TERMINAL)
        dying._client.will_set(state_topic(LIVE_ROOT, TERMINAL), will, qos=1, retain=True)
        async with dying:
            await Terminal(dying).is_there()
            await until(lambda: centre.books.sunk)
            dying._client._sock_close()  # A cut cable says no DISCONNECT.
            await until(lambda: len(centre.books.sunk) == 2)
            dying._disconnected.set_result(None)
    there, gone = centre.books.sunk
    assert isinstance(there, Presence)
    assert isinstance(gone, Presence)
    assert (there.online, there.boot_id, there.heartbeat_s, there.clock, there.volume) == (
        True,
        "boot-1",
        60,
        "synced",
        70,
    )
    assert not gone.online


@pytest.mark.parametrize(
    "rubbish",
    [b"", b"{}", b"[1]", b"\xff\xfe", b"{" * 5000, json.dumps({"v": 1, "terminal": STRANGER, "online": True}).encode()],
)
async def test_rubbish_in_place_of_a_state_is_dropped_and_the_next_is_read(broker: Broker, rubbish: bytes) -> None:
    async with daemon(live(broker.host, broker.port)).running() as centre, terminal(broker) as village:
        await village.client.publish(state_topic(LIVE_ROOT, TERMINAL), rubbish, qos=1, retain=True)
        await village.is_there()
        await until(lambda: centre.books.sunk)
    assert [type(receipt) for receipt in centre.books.sunk] == [Presence]


async def test_a_clockless_terminal_is_told_the_time_once_a_boot_and_once_a_minute(broker: Broker) -> None:
    clock = StoppedClock()
    async with daemon(live(broker.host, broker.port), clock=clock).running() as centre, terminal(broker) as village:
        await village.is_there(clock=ClockState.UNSYNCED)
        first = await village.hears()
        assert (first.verb, first.boot_id) == (Verb.TIME, "boot-1")
        assert first.at is not None
        assert abs((centre.clock.now() - first.at).total_seconds()) < 10

        await village.is_there(clock=ClockState.UNSYNCED)
        village.boot_id = "boot-2"
        await village.is_there(clock=ClockState.UNSYNCED)
        assert (await village.hears()).boot_id == "boot-2"

        clock.moment_s += 61
        await village.is_there(clock=ClockState.UNSYNCED)
        assert (await village.hears()).boot_id == "boot-2"

        await village.is_there(clock=ClockState.SYNCED)
        await village.is_there(clock=ClockState.UNSYNCED, online=False)
        clock.moment_s += 61
        await village.says(1)
        assert (await village.hears()).verb is Verb.ACK


async def test_a_drills_receipts_are_told_apart_and_confirmed_under_the_drills_key(broker: Broker) -> None:
    both = daemon(live(broker.host, broker.port), drill=drill(broker.host, broker.drill_port))
    async with both.running() as centre, terminal(broker, root=DRILL_ROOT) as village:
        await village.says(1)
        ack = await village.hears()
    (playback,) = centre.books.sunk
    assert isinstance(playback, Playback)
    assert playback.drill
    assert ack.root == DRILL_ROOT
