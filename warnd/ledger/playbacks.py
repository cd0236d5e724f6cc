"""What loudspeakers' receipts prove. A group of them is kept, joined and told at once: a fleet that comes back reports in thousands."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.channel import Playback
from warnd.ledger import deliveries, events, latecomers, legs, tallies, terminals
from warnd.ledger.counters import Cell, move
from warnd.ledger.events import Stamp
from warnd.ledger.outcomes import backoff_ms
from warnd.ledger.values import many
from warnd.model.evidence import Evidence
from warnd.model.plan import Plan

# A terminal that says one of these may do better at the next try; the other reasons are final for this command.
_WORTH_RETRYING = frozenset(
    {"busy", "higher_priority", "audio_fetch", "audio_hash", "amplifier", "no_voice", "storage"}
)


def apply(conn: Connection, playbacks: Sequence[tuple[Playback, float]], *, stamp: Stamp) -> list[int]:
    """Keep a group of verified receipts and draw their consequences.

    Each comes with a uniform random number for a back-off it may cause. Returns for each the highest n such that
    receipts 1..n of its terminal, boot and root are kept.
    """
    if not playbacks:
        return []
    came = [playback for playback, _ in playbacks]
    new = terminals.keep(conn, came, stamp=stamp)
    _consequences(conn, [one for one, fresh in zip(playbacks, new, strict=True) if fresh], stamp=stamp)
    reached = terminals.reached(conn, came)
    return [reached[terminals.boot_of(playback)] for playback in came]


@dataclass(slots=True)
class _Group:
    """What one group of receipts amounts to, by delivery: proofs, and when its direct command is due next."""

    proofs: dict[int, Evidence] = field(default_factory=dict)
    plays: dict[int, None] = field(default_factory=dict)
    sooner: dict[int, int] = field(default_factory=dict)

    def add(self, delivery_no: int, playback: Playback, *, jitter: float, now_ms: int) -> None:
        """Add one receipt; as to the next command, a terminal's last word counts."""
        evidence = proved(playback)
        if evidence > Evidence.NONE:
            self.proofs[delivery_no] = max(evidence, self.proofs.get(delivery_no, Evidence.NONE))
            self.plays[delivery_no] = None
            self.sooner.pop(delivery_no, None)
        elif playback.reason in _WORTH_RETRYING:
            self.sooner[delivery_no] = now_ms + backoff_ms(3, jitter)
            self.plays.pop(delivery_no, None)


def _consequences(conn: Connection, playbacks: Sequence[tuple[Playback, float]], *, stamp: Stamp) -> None:
    if not playbacks:
        return
    place = _Place(conn, [playback for playback, _ in playbacks])
    group, told = _Group(), []
    for playback, jitter in playbacks:
        message = place.message(playback)
        told.append(("playback", None if message is None else message.id, _told(playback)))
        delivery_no = None if message is None else place.delivery(message, playback, now_ms=stamp.now_ms)
        if delivery_no is not None:
            group.add(delivery_no, playback, jitter=jitter, now_ms=stamp.now_ms)
    events.append_all(conn, told, stamp=stamp)
    deliveries.raise_evidence(conn, group.proofs, stamp=stamp)
    tallies.raise_deliveries(conn, group.proofs, channel="mqtt")
    latecomers.tell(conn, group.proofs)
    _let_them_play(conn, group.plays, stamp.now_ms)
    _try_sooner(conn, group.sooner)


def _told(playback: Playback) -> dict[str, object]:
    return {
        "terminal": playback.terminal,
        "n": playback.n,
        "stage": playback.stage,
        "pass": playback.pass_done,
        "reason": playback.reason,
        "amplifier": playback.amplifier,
    }


def proved(playback: Playback) -> Evidence:
    """Return what one receipt proves: a whole pass is presented unless the amplifier is at fault (DESIGN §9)."""
    if playback.stage == "played":
        return Evidence.DELIVERED if playback.amplifier == "fault" else Evidence.PRESENTED
    return Evidence.NONE if playback.stage == "failed" else Evidence.DELIVERED


class _Place:
    """Finds which delivery each receipt of a group is about, asking the ledger once for all of them."""

    def __init__(self, conn: Connection, playbacks: Sequence[Playback]) -> None:
        self._conn = conn
        self._messages = self._find_messages({one.message_id for one in playbacks if one.message_id is not None})
        self._versions = self._find_versions({one.terminal for one in playbacks})
        self._deliveries = self._find_deliveries()

    def message(self, playback: Playback) -> Row[Any] | None:
        """Return the message that a receipt names, if it is of the receipt's world and place in the chain."""
        found = self._messages.get(playback.message_id or "")
        if found is None or (bool(found.drill), found.seq) != (playback.drill, playback.seq):
            return None
        return found

    def delivery(self, message: Row[Any], playback: Playback, *, now_ms: int) -> int | None:
        """Return the terminal's delivery; one that had none and has heard all the same gets one."""
        version = self._versions.get(playback.terminal)
        if version is None:
            return None
        key = (message.no, version.recipient_no)
        # A refusal is no reason to send it a command of its own.
        if key not in self._deliveries and proved(playback) > Evidence.NONE:
            stopped = playback.stage == "stopped"
            self._deliveries[key] = _new_delivery(self._conn, message, version, stopped=stopped, now_ms=now_ms)
        return self._deliveries.get(key)

    def _find_messages(self, ids: set[str]) -> dict[str, Row[Any]]:
        rows = self._conn.execute(_MESSAGES, {"ids": sorted(ids)})
        return {row.id: row for row in rows}

    def _find_versions(self, ids: set[str]) -> dict[str, Row[Any]]:
        rows = self._conn.execute(_VERSIONS, {"ids": sorted(ids)})
        return {row.id: row for row in rows}  # The newest comes last.

    def _find_deliveries(self) -> dict[tuple[int, int], int]:
        nos = {"messages": [one.no for one in self._messages.values()]}
        nos["recipients"] = sorted({one.recipient_no for one in self._versions.values()})
        return {(row.message_no, row.recipient_no): row.no for row in self._conn.execute(_DELIVERIES, nos)}


_MESSAGES = many("SELECT * FROM message WHERE id IN :ids", "ids", of=str)
_VERSIONS = many(
    "SELECT r.id, v.no, v.recipient_no, v.region FROM recipient r JOIN recipient_version v ON v.recipient_no = r.no "
    "WHERE r.id IN :ids AND v.kind = 'terminal' ORDER BY v.from_rev",
    "ids",
    of=str,
)
_DELIVERIES = many(
    "SELECT message_no, recipient_no, min(no) AS no FROM delivery "
    "WHERE message_no IN :messages AND recipient_no IN :recipients GROUP BY message_no, recipient_no",
    "messages",
    "recipients",
)


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


_LET_PLAY = text(
    "UPDATE leg SET due_at = :now + wait_ms WHERE delivery_no = :no AND state IN ('due', 'waiting') AND due_at < :now + wait_ms"
)
_SOONER = text(
    "UPDATE leg SET state = 'due', due_at = :at WHERE delivery_no = :no AND "
    "(state = 'due' OR (state = 'waiting' AND tries < tries_max)) AND due_at > :at"
)


def _let_them_play(conn: Connection, delivery_nos: Iterable[int], now_ms: int) -> None:
    """A terminal that has the command needs its time to play: the direct command waits once more from now."""
    rows = [{"no": no, "now": now_ms} for no in delivery_nos]
    if rows:
        conn.execute(_LET_PLAY, rows)


def _try_sooner(conn: Connection, due: dict[int, int]) -> None:
    if due:
        conn.execute(_SOONER, [{"no": no, "at": at} for no, at in due.items()])
