"""What loudspeakers report: verified receipts that prove playback, and unsigned presence that can only lower trust."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.channel import Playback, Presence
from warnd.ledger import deliveries, events, latecomers, legs
from warnd.ledger.counters import Cell, move
from warnd.ledger.events import Stamp
from warnd.ledger.outcomes import backoff_ms
from warnd.ledger.values import maybe_ms
from warnd.model.evidence import Evidence
from warnd.model.plan import Plan

# A terminal that says one of these may do better at the next try; the other reasons are final for this command.
_WORTH_RETRYING = frozenset(
    {"busy", "higher_priority", "audio_fetch", "audio_hash", "amplifier", "no_voice", "storage"}
)
_PAGE = 64


def apply(conn: Connection, playbacks: Sequence[tuple[Playback, float]], *, stamp: Stamp) -> list[int]:
    """Keep a group of verified receipts and draw their consequences.

    Each comes with a uniform random number for a back-off it may cause. Returns for each the highest n such that
    receipts 1..n of its terminal, boot and root are kept.
    """
    return [_one(conn, playback, jitter=jitter, stamp=stamp) for playback, jitter in playbacks]


def _one(conn: Connection, playback: Playback, *, jitter: float, stamp: Stamp) -> int:
    fresh = _keep(conn, playback, stamp=stamp)
    _seen(conn, playback, now_ms=stamp.now_ms)
    if fresh:
        _consequences(conn, playback, jitter=jitter, stamp=stamp)
    return _contiguous(conn, playback)


def _keep(conn: Connection, playback: Playback, *, stamp: Stamp) -> bool:
    columns = {
        name: getattr(playback, name)
        for name in (
            "terminal",
            "boot_id",
            "n",
            "message_id",
            "seq",
            "stage",
            "pass_done",
            "played_ms",
            "amplifier",
            "reason",
        )
    }
    columns |= {"drill": int(playback.drill), "at": maybe_ms(playback.at), "received_at": stamp.now_ms}
    names = ", ".join(columns)
    kept = conn.execute(
        text(
            f"INSERT INTO terminal_receipt ({names}) VALUES ({', '.join(':' + name for name in columns)}) "
            "ON CONFLICT (terminal, drill, boot_id, n) DO NOTHING"
        ),
        columns,
    )
    return kept.rowcount == 1


def _contiguous(conn: Connection, playback: Playback) -> int:
    key = {"terminal": playback.terminal, "drill": int(playback.drill), "boot": playback.boot_id}
    start: int | None = conn.execute(
        text("SELECT contiguous FROM terminal_boot WHERE terminal = :terminal AND drill = :drill AND boot_id = :boot"),
        key,
    ).scalar()
    reached = start or 0
    if playback.n == reached + 1:  # Any other leaves the gap as it is.
        reached = _without_gap(conn, key, after=reached)
    if reached != start:
        conn.execute(
            text(
                "INSERT INTO terminal_boot (terminal, drill, boot_id, contiguous) VALUES (:terminal, :drill, :boot, :n) "
                "ON CONFLICT (terminal, drill, boot_id) DO UPDATE SET contiguous = excluded.contiguous"
            ),
            {**key, "n": reached},
        )
    return reached


def _without_gap(conn: Connection, key: dict[str, object], *, after: int) -> int:
    """Return the last of the numbers that follow each other after `after`; page by page, for what lies beyond the gap may be much."""
    while True:
        page = conn.execute(
            text(
                "SELECT n FROM terminal_receipt WHERE terminal = :terminal AND drill = :drill AND boot_id = :boot AND n > :after "
                "ORDER BY n LIMIT :most"
            ),
            {**key, "after": after, "most": _PAGE},
        ).scalars()
        follow = sum(n == after + place for place, n in enumerate(page, 1))
        after += follow
        if follow < _PAGE:
            return after


def _consequences(conn: Connection, playback: Playback, *, jitter: float, stamp: Stamp) -> None:
    told = {
        "terminal": playback.terminal,
        "n": playback.n,
        "stage": playback.stage,
        "pass": playback.pass_done,
        "reason": playback.reason,
        "amplifier": playback.amplifier,
    }
    message = _message(conn, playback)
    message_id = message.id if message is not None else None
    events.append(conn, stamp=stamp, kind="playback", message_id=message_id, data=told)
    delivery_no = _delivery(conn, message, playback, now_ms=stamp.now_ms) if message is not None else None
    if delivery_no is None:
        return
    evidence = proved(playback)
    if evidence > Evidence.NONE:
        deliveries.raise_evidence(conn, {delivery_no: evidence}, stamp=stamp)
        latecomers.tell(conn, [delivery_no])
        _let_it_play(conn, delivery_no, stamp.now_ms)
    elif playback.reason in _WORTH_RETRYING:
        _try_sooner(conn, delivery_no, jitter=jitter, now_ms=stamp.now_ms)


def proved(playback: Playback) -> Evidence:
    """Return what one receipt proves: a whole pass is presented unless the amplifier is at fault (DESIGN §9)."""
    if playback.stage == "played":
        return Evidence.DELIVERED if playback.amplifier == "fault" else Evidence.PRESENTED
    return Evidence.NONE if playback.stage == "failed" else Evidence.DELIVERED


def _message(conn: Connection, playback: Playback) -> Row[Any] | None:
    """Return the message that the receipt names, if it is of the receipt's world and place in the chain."""
    if playback.message_id is None:
        return None
    return conn.execute(
        text("SELECT * FROM message WHERE id = :id AND drill = :drill AND seq = :seq"),
        {"id": playback.message_id, "drill": int(playback.drill), "seq": playback.seq},
    ).one_or_none()


def _delivery(conn: Connection, message: Row[Any], playback: Playback, *, now_ms: int) -> int | None:
    """Return the terminal's delivery; one that had none and has heard all the same gets one."""
    version = conn.execute(
        text(
            "SELECT v.no, v.recipient_no, v.region FROM recipient r JOIN recipient_version v ON v.recipient_no = r.no "
            "WHERE r.id = :id AND v.kind = 'terminal' ORDER BY v.from_rev DESC LIMIT 1"
        ),
        {"id": playback.terminal},
    ).one_or_none()
    if version is None:
        return None
    found: int | None = conn.execute(
        text("SELECT no FROM delivery WHERE message_no = :message AND recipient_no = :recipient ORDER BY no LIMIT 1"),
        {"message": message.no, "recipient": version.recipient_no},
    ).scalar()
    if (
        found is not None or proved(playback) is Evidence.NONE
    ):  # A refusal is no reason to send it a command of its own.
        return found
    return _new_delivery(conn, message, version, stopped=playback.stage == "stopped", now_ms=now_ms)


def _new_delivery(conn: Connection, message: Row[Any], version: Row[Any], *, stopped: bool, now_ms: int) -> int:
    """Make a delivery as planning would have made it; planning may still come, and then leaves it as it is."""
    plan = Plan.from_dict(json.loads(message.plan))
    index = next((n for n, audience in enumerate(plan.audiences) if audience.kind == "terminals"), None)
    told = message.kind == "cancel" or stopped or index is None  # What it heard is an end, not a warning to be played.
    audience = None if told or index is None else plan.audiences[index]
    no: int = conn.execute(
        text(
            "INSERT INTO delivery (message_no, recipient_no, version_no, purpose, subject, region, audience, proof, evidence, state, "
            "due_by) VALUES (:message, :recipient, :version, :purpose, '', :region, :audience, :proof, 0, 'open', :due_by) RETURNING no"
        ),
        {
            "message": message.no,
            "recipient": version.recipient_no,
            "version": version.no,
            "purpose": "cancel" if message.kind == "cancel" else "area" if told else "warning",
            "region": version.region,
            "audience": -1 if audience is None else index,
            "proof": int(Evidence.DELIVERED if audience is None else audience.proof),
            "due_by": None
            if audience is None or audience.within_s is None
            else message.released_at + audience.within_s * 1000,
        },
    ).scalar_one()
    if audience is not None and message.closed_as is None:
        wait_ms = audience.wait_s * 1000
        legs.direct(conn, message=message, after=no - 1, tries=audience.tries, wait_ms=wait_ms, now_ms=now_ms)
    move(conn, [(None, Cell(message.no, version.region, 0, "open"))])
    return no


def _let_it_play(conn: Connection, delivery_no: int, now_ms: int) -> None:
    """A terminal that has the command needs its time to play: the direct command waits once more from now."""
    conn.execute(
        text(
            "UPDATE leg SET due_at = :now + wait_ms WHERE delivery_no = :no AND state IN ('due', 'waiting') AND due_at < :now + wait_ms"
        ),
        {"no": delivery_no, "now": now_ms},
    )


def _try_sooner(conn: Connection, delivery_no: int, *, jitter: float, now_ms: int) -> None:
    conn.execute(
        text(
            "UPDATE leg SET state = 'due', due_at = :at WHERE delivery_no = :no AND "
            "(state = 'due' OR (state = 'waiting' AND tries < tries_max)) AND due_at > :at"
        ),
        {"no": delivery_no, "at": now_ms + backoff_ms(3, jitter)},
    )


def _seen(conn: Connection, playback: Playback, *, now_ms: int) -> None:
    conn.execute(
        text("UPDATE terminal_state SET last_seen = :now WHERE terminal = :terminal AND drill = :drill"),
        {"terminal": playback.terminal, "drill": int(playback.drill), "now": now_ms},
    )


def presence(conn: Connection, said: Sequence[Presence], *, stamp: Stamp) -> None:
    """Keep what terminals say of themselves: the newest word, and since when they are on line or off."""
    for one in said:
        conn.execute(
            text(
                "INSERT INTO terminal_state (terminal, drill, online, since, last_seen, boot_id, heartbeat_s, clock, amplifier, volume) "
                "VALUES (:terminal, :drill, :online, :now, :seen, :boot_id, :heartbeat_s, :clock, :amplifier, :volume) "
                "ON CONFLICT (terminal, drill) DO UPDATE SET "
                "since = CASE WHEN terminal_state.online = excluded.online THEN terminal_state.since ELSE excluded.since END, "
                "online = excluded.online, last_seen = coalesce(excluded.last_seen, terminal_state.last_seen), "
                "boot_id = coalesce(excluded.boot_id, terminal_state.boot_id), "
                "heartbeat_s = coalesce(excluded.heartbeat_s, terminal_state.heartbeat_s), "
                "clock = coalesce(excluded.clock, terminal_state.clock), "
                "amplifier = coalesce(excluded.amplifier, terminal_state.amplifier), "
                "volume = coalesce(excluded.volume, terminal_state.volume)"
            ),
            {
                "terminal": one.terminal,
                "drill": int(one.drill),
                "online": int(one.online),
                "now": stamp.now_ms,
                "seen": stamp.now_ms if one.online else None,
                "boot_id": one.boot_id,
                "heartbeat_s": one.heartbeat_s,
                "clock": one.clock,
                "amplifier": one.amplifier,
                "volume": one.volume,
            },
        )
