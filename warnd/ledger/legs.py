"""Legs: one delivery by one channel to one address. Made with their delivery, with a snapshot of the address."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger.each import execute_each
from warnd.ledger.priority import TERMINALS, lane, of_audience, priority
from warnd.ledger.values import many
from warnd.model.plan import Plan

# Where in the directory each channel finds its address; a channel that is not named here uses the recipient's phone.
_ADDRESS = {"mqtt": "'terminal:' || r.id", "email": "v.email", "apprise": "v.apprise"}
_PHONE = "v.phone"

# Whoever is told because of a duty; everybody else may ask to be left alone. `v` is the recipient's version.
OBLIGED = "(v.kind <> 'household' OR EXISTS (SELECT 1 FROM seat held WHERE held.version_no = v.no))"

_INSERT = (
    "INSERT INTO leg (message_no, delivery_no, channel, address, lane, step, priority, state, due_at, attempts, tries, failures, "
    "tries_max, wait_ms, repeat, token) "
)
_ONCE = "ON CONFLICT (delivery_no, channel, address) DO NOTHING"
_START_NEXT = text(
    "UPDATE leg SET state = 'due', due_at = :now WHERE no = (SELECT no FROM leg WHERE delivery_no = :delivery "
    "AND state = 'standby' ORDER BY step, no LIMIT 1)"
)


def plan(
    conn: Connection,
    *,
    message: Row[Any],
    plan: Plan,
    index: int,
    after: int,
    channels: Collection[str],
) -> None:
    """Make the legs of the deliveries numbered above `after`, all of one audience.

    A terminal's own command comes only after the region's topic had its time, so its first try is due one wait later.
    """
    audience = plan.audiences[index]
    direct_after = audience.wait_s * 1000 if audience.kind == "terminals" else 0
    usable = [channel for channel in audience.channels if channel in channels]
    for step, channel in enumerate(usable):
        address = _ADDRESS.get(channel, _PHONE)
        conn.execute(
            text(
                f"{_INSERT} SELECT :no, d.no, :channel, {address}, :lane, :step, :priority, "
                "CASE WHEN :parallel = 1 OR NOT EXISTS (SELECT 1 FROM leg e WHERE e.delivery_no = d.no) THEN 'due' ELSE 'standby' END, "
                ":due_at, 0, 0, 0, :tries, :wait_ms, 0, 0 "
                "FROM delivery d JOIN recipient_version v ON v.no = d.version_no JOIN recipient r ON r.no = d.recipient_no "
                f"WHERE d.no > :after AND +d.message_no = :no AND {address} IS NOT NULL AND {_willing(':channel', address)} "
                f"ORDER BY d.no {_ONCE}"
            ),
            {
                "no": message.no,
                "after": after,
                "channel": channel,
                "lane": lane(channel, drill=bool(message.drill)),
                "step": step,
                "priority": priority(message.urgency, of_audience(audience.kind)),
                "parallel": int(audience.parallel),
                "due_at": message.released_at + direct_after,
                "tries": audience.tries,
                "wait_ms": audience.wait_s * 1000,
            },
        )


def _willing(channel: str, address: str) -> str:
    """Return the condition that a recipient is told by this channel at this address: they did not ask for silence, or have a duty."""
    asked = f"SELECT 1 FROM opt_out x WHERE x.channel = {channel} AND x.address = {address}"
    return f"(NOT EXISTS ({asked}) OR {OBLIGED})"


def carry(
    conn: Connection, *, message: Row[Any], plan: Plan, old_no: int, after: int, channels: Collection[str]
) -> None:
    """Give carried-over deliveries numbered above `after` the legs that may have reached their recipients before.

    The public is told once; the others until it is proved or the plan's tries are used up. Terminals hear by their region's topic first.
    """
    names = {f"channel{n}": name for n, name in enumerate(sorted(channels))}
    if not names:
        return
    conn.execute(
        text(
            f"{_INSERT} SELECT :no, d.no, o.channel, o.address, o.lane, o.step, "
            ":base + o.priority % 100 - o.priority % 10, 'due', "
            "CASE WHEN o.channel = 'mqtt' THEN :now + :wait_ms ELSE :now END, 0, 0, 0, "
            "CASE WHEN d.proof = 1 THEN 1 ELSE :tries END, :wait_ms, 0, 0 "
            "FROM delivery d JOIN delivery was ON +was.message_no = :old AND was.recipient_no = d.recipient_no "
            "JOIN leg o ON o.delivery_no = was.no JOIN recipient_version v ON v.no = d.version_no "
            "WHERE d.no > :after AND +d.message_no = :no AND (o.attempts > 0 OR o.channel = 'mqtt') "
            f"AND {_willing('o.channel', 'o.address')} AND o.channel IN ({', '.join(':' + name for name in names)}) ORDER BY d.no {_ONCE}"
        ),
        {
            **names,
            "no": message.no,
            "old": old_no,
            "after": after,
            "base": message.urgency * 100,
            "now": message.released_at,
            "tries": plan.cancel_tries,
            "wait_ms": plan.cancel_wait_s * 1000,
        },
    )


def follow(
    conn: Connection, *, message: Row[Any], plan: Plan, earlier: Collection[int], after: int, channels: Collection[str]
) -> None:
    """Let a new version follow the older ones of `earlier` to its own audience: deliveries numbered above `after`.

    A channel by which somebody may have got an older version begins at once, even if the plan keeps it for later or no longer names it:
    what was said there must not stand uncorrected.
    """
    names = {f"channel{n}": name for n, name in enumerate(sorted(set(channels) - {"mqtt"}))}
    if not names or not earlier:
        return
    heard = (
        "FROM delivery d JOIN delivery was ON +was.message_no IN :earlier AND was.recipient_no = d.recipient_no "
        "JOIN leg o ON o.delivery_no = was.no AND o.attempts > 0 AND EXISTS "
        "(SELECT 1 FROM attempt a WHERE a.leg_no = o.no AND a.state <> 'failed') "
    )
    values = {"no": message.no, "after": after, "earlier": sorted(earlier)}
    conn.execute(
        many(
            "UPDATE leg SET state = 'due' WHERE delivery_no > :after AND +message_no = :no AND state = 'standby' AND EXISTS "
            f"(SELECT 1 {heard}WHERE d.no = leg.delivery_no AND o.channel = leg.channel AND o.address = leg.address)",
            "earlier",
        ),
        values,
    )
    conn.execute(
        many(
            f"{_INSERT} SELECT :no, d.no, o.channel, o.address, o.lane, o.step, :base + o.priority % 100 - o.priority % 10, 'due', :now, "
            f"0, 0, 0, CASE WHEN d.proof = 1 THEN 1 ELSE :tries END, :wait_ms, 0, 0 {heard}"
            "JOIN recipient_version v ON v.no = d.version_no "
            f"WHERE d.no > :after AND +d.message_no = :no AND {_willing('o.channel', 'o.address')} "
            f"AND o.channel IN ({', '.join(':' + name for name in names)}) ORDER BY d.no {_ONCE}",
            "earlier",
        ),
        {
            **values,
            **names,
            "base": message.urgency * 100,
            "now": message.released_at,
            "tries": plan.cancel_tries,
            "wait_ms": plan.cancel_wait_s * 1000,
        },
    )


def direct(conn: Connection, *, message: Row[Any], after: int, tries: int, wait_ms: int, now_ms: int) -> None:
    """Give terminals among the message's deliveries numbered above `after` that have no leg their own command, one wait from now."""
    conn.execute(
        text(
            f"{_INSERT} SELECT :no, d.no, 'mqtt', {_ADDRESS['mqtt']}, :lane, 0, :priority, 'due', :due_at, 0, 0, 0, :tries, :wait_ms, "
            "0, 0 FROM delivery d JOIN recipient_version v ON v.no = d.version_no AND v.kind = 'terminal' "
            "JOIN recipient r ON r.no = d.recipient_no WHERE d.no > :after AND +d.message_no = :no "
            f"AND NOT EXISTS (SELECT 1 FROM leg e WHERE e.delivery_no = d.no) ORDER BY d.no {_ONCE}"
        ),
        {
            "no": message.no,
            "after": after,
            "lane": lane("mqtt", drill=bool(message.drill)),
            "priority": priority(message.urgency, TERMINALS),
            "due_at": now_ms + wait_ms,
            "tries": tries,
            "wait_ms": wait_ms,
        },
    )


def finish(conn: Connection, *, delivery_nos: Collection[int]) -> None:
    """Stop whatever is still planned for these deliveries; a try under way is left to its outcome."""
    execute_each(
        conn,
        "UPDATE leg SET state = 'done' WHERE delivery_no = :no AND state IN ('standby', 'due', 'waiting')",
        [{"no": no} for no in delivery_nos],
    )


def start_next(conn: Connection, *, delivery_no: int, now_ms: int) -> bool:
    """Start the next channel of a delivery's order; False if none stands by."""
    return conn.execute(_START_NEXT, {"delivery": delivery_no, "now": now_ms}).rowcount > 0


def start_next_each(conn: Connection, *, delivery_nos: Collection[int], now_ms: int) -> None:
    """Start the next channel of each of these deliveries; nothing happens where none stands by."""
    if delivery_nos:
        conn.execute(_START_NEXT, [{"delivery": no, "now": now_ms} for no in delivery_nos])


def active(conn: Connection, *, delivery_no: int) -> bool:
    """Say whether any channel of the delivery can still bring something about by itself."""
    return bool(
        conn.execute(
            text(
                "SELECT EXISTS (SELECT 1 FROM leg WHERE delivery_no = :no AND state IN ('standby', 'due', 'submitting', 'waiting'))"
            ),
            {"no": delivery_no},
        ).scalar()
    )
