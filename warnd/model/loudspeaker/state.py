"""A terminal's presence and health (DESIGN §9): plain JSON that anyone could have written, so it only lowers trust."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from warnd.model.loudspeaker.fields import Fields, FormatError, read_object, time_text
from warnd.model.loudspeaker.receipt import Amplifier
from warnd.model.loudspeaker.refused import Refused, Why
from warnd.model.loudspeaker.topics import parse_topic

HEARTBEATS_MISSED = 3  # So many missed heartbeats mean offline, as the will does (DESIGN §9).


class ClockState(StrEnum):
    """Whether a terminal knows the time."""

    SYNCED = "synced"
    UNSYNCED = "unsynced"


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalState:
    """What a terminal says of itself, or its will says for it. Whatever a sender left out is None.

    Attributes:
        playing: The message_id that sounds now; None = silence.
        last_message: The message_id that it took last.
        at: When it was written; a will carries the time of its connection.
    """

    terminal: str
    online: bool
    boot_id: str | None = None
    uptime_s: int | None = None
    heartbeat_s: int | None = None
    playing: str | None = None
    volume: int | None = None
    amplifier: Amplifier = Amplifier.UNKNOWN
    clock: ClockState | None = None
    firmware: str | None = None
    last_message: str | None = None
    at: datetime | None = None


def state_text(state: TerminalState) -> str:
    """Return the JSON text, every key of the contract present."""
    payload: Mapping[str, object] = {
        "v": 1,
        "terminal": state.terminal,
        "online": state.online,
        "boot_id": state.boot_id,
        "uptime_s": state.uptime_s,
        "heartbeat_s": state.heartbeat_s,
        "playing": state.playing,
        "volume": state.volume,
        "amplifier": state.amplifier.value,
        "clock": None if state.clock is None else state.clock.value,
        "firmware": state.firmware,
        "last_message": state.last_message,
        "at": None if state.at is None else time_text(state.at),
    }
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def parse_state(text: str | bytes, topic: str) -> TerminalState:
    """Return the state that arrived on `topic`.

    Raises:
        Refused: not_for_me (it speaks of another terminal than the topic), or no word for a broken format.
    """
    place = parse_topic(topic)
    if place is None or place.kind != "state":
        raise Refused(Why.NOT_FOR_ME, f"{topic[:120]!r} is no state topic")
    try:
        state = _read(Fields(read_object(text)))
    except FormatError as error:
        raise Refused(None, f"state: {error}") from error
    if state.terminal != place.name:
        raise Refused(Why.NOT_FOR_ME, f"the state of {state.terminal!r} on {topic!r}")
    return state


def _read(fields: Fields) -> TerminalState:
    fields.integer("v", low=1, high=1)
    return TerminalState(
        terminal=fields.label("terminal"),
        online=fields.boolean("online"),
        boot_id=fields.label_or_none("boot_id"),
        uptime_s=fields.integer_or_none("uptime_s"),
        heartbeat_s=fields.integer_or_none("heartbeat_s", low=1),
        playing=fields.message_id("playing"),
        volume=fields.integer_or_none("volume", high=100),
        amplifier=fields.word_or_none("amplifier", Amplifier) or Amplifier.UNKNOWN,
        clock=fields.word_or_none("clock", ClockState),
        firmware=fields.text_or_none("firmware"),
        last_message=fields.message_id("last_message"),
        at=fields.time_or_none("at"),
    )
