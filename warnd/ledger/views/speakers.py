"""The loudspeakers of some villages, and how each stands towards one message."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from warnd.ledger.values import from_ms, many, maybe_time, to_ms
from warnd.model.coverage import Setback, TerminalFacts

DEFAULT_HEARTBEAT_S = 60  # For a terminal that has not told its own.
MISSED = 3  # Heartbeats without which a terminal counts as offline (DESIGN §9).


def speakers(
    conn: Connection, *, message: Row[Any], codes: Sequence[str], now: datetime
) -> dict[str, tuple[TerminalFacts, ...]]:
    """Return the terminals of these villages, by village, as the directory stood when the message was released.

    Args:
        conn: Reads only.
        message: Its row.
        codes: Stored codes of villages, at most a page of them.
        now: Aware UTC; decides whose heartbeats are missing.
    """
    rows = conn.execute(_TERMINALS, {"codes": list(codes), "rev": message.directory_rev, "drill": message.drill}).all()
    setbacks = _setbacks(conn, message, [row.id for row in rows])
    found: defaultdict[str, list[TerminalFacts]] = defaultdict(list)
    for row in rows:
        alive = online(row, now=now)
        quiet = row.since if row.online == 0 else row.last_seen
        found[row.region].append(
            TerminalFacts(row.id, alive, None if alive else maybe_time(quiet), setbacks.get(row.id))
        )
    return {code: tuple(each) for code, each in found.items()}


def online(row: Row[Any], *, now: datetime) -> bool:
    """Say whether a terminal is there: it says so, and its last sign of life is younger than three heartbeats.

    Args:
        row: With `online`, `last_seen` and `heartbeat_s`, all NULL for a terminal that was never seen.
        now: Aware UTC.
    """
    if not row.online or row.last_seen is None:
        return False
    return bool(row.last_seen + MISSED * (row.heartbeat_s or DEFAULT_HEARTBEAT_S) * 1000 >= to_ms(now))


_TERMINALS = many(
    "SELECT c.id, v.region, s.online, s.since, s.last_seen, s.heartbeat_s "
    "FROM recipient_version v JOIN recipient c ON c.no = v.recipient_no "
    "LEFT JOIN terminal_state s ON s.terminal = c.id AND s.drill = :drill "
    "WHERE v.region IN :codes AND v.kind = 'terminal' AND v.from_rev <= :rev AND (v.to_rev IS NULL OR v.to_rev > :rev)",
    "codes",
    of=str,
)

# The last word of each terminal about this message that says whether it played it: a retry that fails differently replaces it.
# A stop with a reason is one, too: something graver cut it off, and until it was played whole the village has not heard it.
_LAST_WORDS = many(
    "SELECT terminal, stage, amplifier, reason, received_at FROM ("
    "SELECT terminal, stage, amplifier, reason, received_at, "
    "row_number() OVER (PARTITION BY terminal ORDER BY received_at DESC, n DESC) AS place FROM terminal_receipt "
    "WHERE message_id = :id AND drill = :drill AND terminal IN :terminals "
    "AND (stage IN ('played', 'failed') OR stage = 'stopped' AND reason IS NOT NULL)"
    ") AS words WHERE place = 1",
    "terminals",
    of=str,
)


def _setbacks(conn: Connection, message: Row[Any], terminals: Sequence[str]) -> dict[str, Setback]:
    words = conn.execute(_LAST_WORDS, {"id": message.id, "drill": message.drill, "terminals": list(terminals)})
    found = {word.terminal: (_complaint(word), word.received_at) for word in words}
    return {terminal: Setback(said, from_ms(at)) for terminal, (said, at) in found.items() if said is not None}


def _complaint(word: Row[Any]) -> str | None:
    if word.stage in ("failed", "stopped"):
        return str(word.reason or word.stage)
    return "amplifier" if word.amplifier == "fault" else None
