"""From one try to one signed command in its packet. Shortens nothing: what a terminal could not take is not sent."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from channels.mqtt.fate import Parcel
from channels.mqtt.options import LineOptions
from warnd.channel import Failed, Outgoing, Text
from warnd.model.loudspeaker import (
    DRILL_ROOT,
    Audio,
    Command,
    Speech,
    Status,
    Verb,
    padded,
    prefix,
    region_command_topic,
    sign_command,
    terminal_command_topic,
)

_EXPIRY_MAX_S = 2**32 - 1  # Message Expiry Interval is a four byte integer (MQTT 5.0 §3.3.2.3.3).
ACK_LIFE_S = 30  # A terminal resends its receipts every 30 s; an older acknowledgement has been overtaken.
TIME_LIFE_S = 5  # A time that waited longer at the broker would set a clock wrong by as much.


_TONE = {Status.ACTUAL: "warning", Status.EXERCISE: "exercise", Status.TEST: "exercise"}


@dataclass(frozen=True, slots=True)
class Post:
    """Makes the packets of one root.

    Attributes:
        now: The centre's clock, aware UTC.
        random: Where nonces come from.
    """

    options: LineOptions
    now: Callable[[], datetime]
    random: Random

    def parcel(self, outgoing: Outgoing) -> Parcel | Failed:
        """Return the packet for a try, signed now, or why there can be none."""
        message, now = outgoing.message, self.now()
        left_s = (message.expires_at - now).total_seconds()
        if left_s <= 0:
            return Failed("expired", "permanent")
        kind, _, name = outgoing.address.partition(":")
        if kind not in {"region", "terminal"} or not name:
            return Failed(
                f"{outgoing.address!r} is not region:<code> or terminal:<id>; correct the address", "permanent"
            )
        to_region = kind == "region"
        root, place = self.options.root, padded(name) if to_region else name
        life_s = min(math.ceil(left_s), _EXPIRY_MAX_S)
        try:
            payload = self._signed(
                _command(outgoing, root=root, to=f"{kind}:{place}", now=now, ttl_s=life_s, nonce=self._nonce())
            )
        except ValueError as error:
            return Failed(f"no terminal could take this command: {error}", "permanent")
        topic = (
            region_command_topic(root, place, message.chain_id) if to_region else terminal_command_topic(root, place)
        )
        return Parcel(topic, payload, retain=to_region, expiry_s=life_s)

    def ack(self, terminal: str, *, boot_id: str, n: int) -> Parcel:
        """Return the packet that tells a terminal that its receipts 1..n of this boot are committed."""
        return self._service(terminal, verb=Verb.ACK, boot_id=boot_id, n=n, life_s=ACK_LIFE_S)

    def time(self, terminal: str, *, boot_id: str) -> Parcel:
        """Return the packet that tells a clockless terminal the time."""
        return self._service(terminal, verb=Verb.TIME, boot_id=boot_id, n=None, life_s=TIME_LIFE_S)

    def _service(self, terminal: str, *, verb: Verb, boot_id: str, n: int | None, life_s: int) -> Parcel:
        now = self.now()
        command = Command(
            root=self.options.root,
            to=f"terminal:{terminal}",
            verb=verb,
            nonce=self._nonce(),
            issued_at=now,
            expires_at=now + timedelta(seconds=life_s),
            ttl_s=life_s,
            boot_id=boot_id,
            n=n,
            at=now if verb is Verb.TIME else None,
        )
        topic = terminal_command_topic(self.options.root, terminal)
        return Parcel(topic, self._signed(command), retain=False, expiry_s=life_s)

    def _signed(self, command: Command) -> bytes:
        return sign_command(command, self.options.signing_key).encode("ascii")

    def _nonce(self) -> str:
        return f"{self.random.getrandbits(96):024x}"


def _command(outgoing: Outgoing, *, root: str, to: str, now: datetime, ttl_s: int, nonce: str) -> Command:
    message, verb, status = outgoing.message, Verb(outgoing.message.verb), Status(outgoing.message.status)
    if message.drill == (status is Status.ACTUAL) or message.drill != (root == DRILL_ROOT):
        raise ValueError(f"status {status} does not belong under {root}")
    return Command(
        root=root,
        to=to,
        verb=verb,
        nonce=nonce,
        status=status,
        regions=None if outgoing.regions is None else tuple(prefix(code) for code in outgoing.regions),
        message_id=message.id,
        chain_id=message.chain_id,
        seq=message.seq,
        level=message.level,
        event=message.event,
        area=message.area,
        headline=message.headline,
        speech=tuple(_speech(text) for text in outgoing.texts),
        repeat=message.repeat,
        every_s=message.every_s,
        volume=message.volume,
        tone=_TONE[status] if verb is Verb.PLAY else None,
        issued_at=now,
        expires_at=message.expires_at,
        ttl_s=ttl_s,
    )


def _speech(text: Text) -> Speech:
    audio = text.audio
    recording = None if audio is None else Audio(audio.url, sha256=audio.sha256, duration_ms=audio.duration_ms)
    return Speech(lang=text.lang, text=text.text, audio=recording)
