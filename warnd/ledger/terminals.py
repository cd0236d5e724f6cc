"""What is kept of loudspeakers' words: each receipt once, how far a boot's receipts go without a gap, and the newest presence."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, text

from warnd.channel import Playback, Presence
from warnd.ledger.events import Stamp
from warnd.ledger.values import many, maybe_ms

_PAGE = 64
_COLUMNS = ("terminal", "boot_id", "n", "message_id", "seq", "stage", "pass_done", "played_ms", "amplifier", "reason")
_ALL_COLUMNS = (*_COLUMNS, "drill", "at", "received_at")

Boot = tuple[str, int, str]
"""(terminal, drill, boot): within it receipts are numbered from 1."""
Number = tuple[str, int, str, int]

_KEEP = text(
    f"INSERT INTO terminal_receipt ({', '.join(_ALL_COLUMNS)}) VALUES ({', '.join(':' + name for name in _ALL_COLUMNS)}) "
    "ON CONFLICT (terminal, drill, boot_id, n) DO NOTHING"
)
_KNOWN = many(
    "SELECT terminal, drill, boot_id, n FROM terminal_receipt WHERE (terminal, drill, boot_id, n) IN :numbers",
    "numbers",
    of=tuple,
)
_SEEN = text("UPDATE terminal_state SET last_seen = :now WHERE terminal = :terminal AND drill = :drill")
_STARTS = many(
    "SELECT terminal, drill, boot_id, contiguous FROM terminal_boot WHERE (terminal, drill, boot_id) IN :boots",
    "boots",
    of=tuple,
)
_REACH = text(
    "INSERT INTO terminal_boot (terminal, drill, boot_id, contiguous) VALUES (:terminal, :drill, :boot, :n) "
    "ON CONFLICT (terminal, drill, boot_id) DO UPDATE SET contiguous = excluded.contiguous"
)
_FOLLOWING = text(
    "SELECT n FROM terminal_receipt WHERE terminal = :terminal AND drill = :drill AND boot_id = :boot AND n > :after "
    "ORDER BY n LIMIT :most"
)
_PRESENCE = text(
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
)


def boot_of(playback: Playback) -> Boot:
    """Return in which count a receipt stands."""
    return playback.terminal, int(playback.drill), playback.boot_id


def keep(conn: Connection, playbacks: Sequence[Playback], *, stamp: Stamp) -> list[bool]:
    """Keep receipts, note that their terminals live, and say of each whether it is new."""
    known: set[Number] = {tuple(row) for row in conn.execute(_KNOWN, {"numbers": [_number(one) for one in playbacks]})}
    fresh = []
    for playback in playbacks:
        fresh.append(_number(playback) not in known)
        known.add(_number(playback))
    rows = [_row(playback, stamp) for playback, new in zip(playbacks, fresh, strict=True) if new]
    if rows:
        conn.execute(_KEEP, rows)
    alive = dict.fromkeys((playback.terminal, int(playback.drill)) for playback in playbacks)
    conn.execute(_SEEN, [{"terminal": one, "drill": drill, "now": stamp.now_ms} for one, drill in alive])
    return fresh


def _number(playback: Playback) -> Number:
    return (*boot_of(playback), playback.n)


def _row(playback: Playback, stamp: Stamp) -> dict[str, object]:
    told = {name: getattr(playback, name) for name in _COLUMNS}
    return told | {"drill": int(playback.drill), "at": maybe_ms(playback.at), "received_at": stamp.now_ms}


def reached(conn: Connection, playbacks: Iterable[Playback]) -> Mapping[Boot, int]:
    """Return for each boot the highest n such that receipts 1..n are kept, and keep that, too."""
    came: dict[Boot, set[int]] = {}
    for playback in playbacks:
        came.setdefault(boot_of(playback), set()).add(playback.n)
    starts: dict[Boot, int] = dict.fromkeys(came, 0)
    for terminal, drill, boot, contiguous in conn.execute(_STARTS, {"boots": list(came)}):
        starts[terminal, drill, boot] = contiguous
    # Only the next number closes a gap; any other leaves it, and what lies beyond it may be much.
    ends = {boot: _without_gap(conn, boot, after=starts[boot]) for boot in came if starts[boot] + 1 in came[boot]}
    if ends:
        conn.execute(_REACH, [_of(boot) | {"n": n} for boot, n in ends.items()])
    return starts | ends


def _without_gap(conn: Connection, boot: Boot, *, after: int) -> int:
    """Return the last of the numbers that follow each other after `after`, page by page."""
    while True:
        page = conn.execute(_FOLLOWING, _of(boot) | {"after": after, "most": _PAGE}).scalars()
        follow = sum(n == after + place for place, n in enumerate(page, 1))
        after += follow
        if follow < _PAGE:
            return after


def _of(boot: Boot) -> dict[str, object]:
    return {"terminal": boot[0], "drill": boot[1], "boot": boot[2]}


def presence(conn: Connection, said: Sequence[Presence], *, stamp: Stamp) -> None:
    """Keep what terminals say of themselves: the newest word, and since when they are on line or off."""
    rows = [
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
        }
        for one in said
    ]
    if rows:
        conn.execute(_PRESENCE, rows)
