"""The broker's other end: a watcher who sees every message as it is published, and village loudspeakers made of paho alone."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.outside import county
from tests.outside.broker import WATCHER, Broker, password
from tests.outside.cap import moment
from tests.outside.house import DRILL_KEY, LIVE_KEY, PATIENCE_S
from tests.outside.wire import DRILL, LIVE, Payload, opened, rfc3339, signed

_BOOTS = count(1)


@dataclass(frozen=True)
class Heard:
    """One message as it came; `expiry_s` is what is left of its life, None without."""

    topic: str
    payload: bytes
    retain: bool
    qos: int
    expiry_s: int | None

    def command(self) -> Payload:
        """Return the command, its header checked against the contract."""
        return dict(_command(self.topic.startswith(DRILL), self.payload))


@cache
def _command(drill: bool, payload: bytes) -> Payload:  # noqa: FBT001 - the key of the cache
    head, body = opened(payload, (DRILL_KEY if drill else LIVE_KEY).public_key(), typ="warnd-cmd")
    return {"kid": head["kid"], **body}


@dataclass
class Ear:
    """A connection that keeps what it hears."""

    client: Client
    heard: list[Heard] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def until(self, wanted: Callable[[Heard], object], what: str, *, timeout_s: float = PATIENCE_S) -> Heard:
        """Return the first message that is wanted, come or to come."""

        def look() -> Heard | None:
            return next((each for each in self.heard if wanted(each)), None)

        with self._news:
            assert self._news.wait_for(look, timeout_s), (
                f"never heard {what}; heard {[h.topic for h in self.heard][-20:]}"
            )
            found = look()
            assert found is not None
            return found

    def all(self, wanted: Callable[[Heard], object]) -> list[Heard]:
        with self._news:
            return [each for each in self.heard if wanted(each)]

    def until_count(self, wanted: Callable[[Heard], object], number: int, what: str) -> list[Heard]:
        with self._news:
            came = self._news.wait_for(lambda: len([h for h in self.heard if wanted(h)]) >= number, PATIENCE_S)
            found = [each for each in self.heard if wanted(each)]
            assert came, f"never {number} times {what}; {len(found)} times"
            return found

    def take(self, message: MQTTMessage) -> None:
        expiry = getattr(message.properties, "MessageExpiryInterval", None)
        with self._news:
            self.heard.append(Heard(message.topic, bytes(message.payload), message.retain, message.qos, expiry))
            self._news.notify_all()

    def publish(self, topic: str, payload: str | bytes, *, retain: bool = False, qos: int = 1) -> None:
        """Publish and return when the broker has it."""
        self.client.publish(topic, payload, qos=qos, retain=retain).wait_for_publish(PATIENCE_S)


@contextmanager
def listening(
    broker: Broker,
    user: str,
    topics: Sequence[str],
    *,
    drill: bool = False,
    will: tuple[str, str] | None = None,
) -> Iterator[Ear]:
    """Connect, subscribe as published, and listen until left; leaving is an orderly goodbye."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, client_id="")
    client.username_pw_set(user, password(user, drill=drill))
    if will is not None:
        client.will_set(will[0], will[1], qos=1, retain=True)
    ear = Ear(client)
    subscribed = threading.Event()
    client.on_message = lambda _c, _u, message: ear.take(message)
    client.on_subscribe = lambda *_: subscribed.set()
    options = SubscribeOptions(qos=1, retainAsPublished=True)

    def subscribe(*_: Any) -> None:
        if topics:
            client.subscribe([(topic, options) for topic in topics])
        else:
            subscribed.set()

    client.on_connect = subscribe
    client.connect(broker.host, broker.drill_port if drill else broker.port)
    client.loop_start()
    try:
        assert subscribed.wait(PATIENCE_S), "the broker never answered the subscription"
        yield ear
    finally:
        client.disconnect()
        client.loop_stop()
        left = client.socket()
        if left is not None:  # paho forgets a socket that the test broke.
            left.close()


@contextmanager
def watching(broker: Broker) -> Iterator[Ear]:
    with listening(broker, WATCHER, ["warnd/#", "warnd-drill/#"]) as ear:
        yield ear


@dataclass
class Loudspeaker:
    """A terminal that plays nothing by itself: the test says what it reports."""

    id: str
    key: Ed25519PrivateKey
    ear: Ear
    root: str = LIVE
    boot_id: str = field(default_factory=lambda: f"boot-{next(_BOOTS)}")
    n: int = 0

    def until_command(self, verb: str, message_id: str | None, *, direct: bool | None = None) -> Payload:
        def wanted(heard: Heard) -> bool:
            if not heard.topic.startswith(self.root):
                return False
            payload = heard.command()
            fits = direct is None or direct == ("/terminal/" in heard.topic)
            return payload["verb"] == verb and payload["message_id"] == message_id and fits

        return self.ear.until(wanted, f"{verb} of {message_id}").command()

    def until_ack(self, n: int) -> Payload:
        return self.ear.until(
            lambda heard: (
                (command := heard.command())["verb"] == "ack"
                and command["boot_id"] == self.boot_id
                and command["n"] == n
            ),
            f"ack {n}",
        ).command()

    def acks(self) -> list[int]:
        commands = [heard.command() for heard in self.ear.all(lambda heard: "/terminal/" in heard.topic)]
        return [each["n"] for each in commands if each["verb"] == "ack" and each["boot_id"] == self.boot_id]

    def receipt(self, command: Payload, stage: str, **changes: Any) -> Payload:
        """Return the next receipt for a command, counted up."""
        self.n += 1
        return {
            "v": 1,
            "root": self.root,
            "terminal": self.id,
            "boot_id": self.boot_id,
            "n": self.n,
            "message_id": command["message_id"],
            "seq": command["seq"],
            "nonce": command["nonce"],
            "stage": stage,
            "pass_done": 1 if stage == "played" else 0,
            "played_ms": 12000 if stage == "played" else 0,
            "volume": 90,
            "amplifier": "ok",
            "reason": None,
            "at": rfc3339(moment()),
        } | changes

    def sign(self, receipt: Payload, *, kid: str | None = None, key: Ed25519PrivateKey | None = None) -> str:
        return signed(receipt, key or self.key, kid=kid or self.id, typ="warnd-rcpt")

    def report(self, command: Payload, stage: str, **changes: Any) -> Payload:
        """Publish the next receipt and return it."""
        receipt = self.receipt(command, stage, **changes)
        self.send(self.sign(receipt))
        return receipt

    def send(self, text: str) -> None:
        self.ear.publish(f"{self.root}/terminal/{self.id}/receipt", text)

    def play(self, command: Payload, *, passes: int = 1) -> None:
        """Report a whole playback."""
        self.report(command, "received")
        self.report(command, "playing")
        for done in range(1, passes + 1):
            self.report(command, "played", pass_done=done)

    def state(self, *, online: bool = True, **changes: Any) -> None:
        self.ear.publish(
            f"{self.root}/terminal/{self.id}/state", state(self.id, self.boot_id, online, **changes), retain=True
        )


def state(terminal: str, boot_id: str, online: bool, **changes: Any) -> str:  # noqa: FBT001 - one word of the wire
    fields = {
        "v": 1,
        "terminal": terminal,
        "online": online,
        "boot_id": boot_id,
        "uptime_s": 10,
        "heartbeat_s": 30,
        "playing": None,
        "volume": 70,
        "amplifier": "ok",
        "clock": "synced",
        "firmware": "outside 1",
        "last_message": None,
        "at": rfc3339(moment()),
    }
    return json.dumps(fields | changes)


@contextmanager
def loudspeaker(
    broker: Broker, name: str, regions: Sequence[str], *, drill: bool = False, quiet: bool = False
) -> Iterator[Loudspeaker]:
    """Connect a terminal of these region codes (its own and its ancestors'), online unless `quiet`."""
    root = DRILL if drill else LIVE
    topics = [f"{root}/terminal/{name}/command", *(f"{root}/region/{code}/command/+" for code in regions)]
    boot_id = f"boot-{next(_BOOTS)}"
    will = (f"{root}/terminal/{name}/state", state(name, boot_id, online=False))
    with listening(broker, name, topics, drill=drill, will=will) as ear:
        speaker = Loudspeaker(name, county.key_of(name), ear, root, boot_id)
        if not quiet:
            speaker.state()
        yield speaker
