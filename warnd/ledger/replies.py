"""Replies: what a person wrote back means by the questions that are open at their address, or by the word for silence. Never guessed."""

import hashlib
from collections.abc import Sequence

from sqlalchemy import Connection, text

from warnd.channel import Reply
from warnd.ledger import digits, optouts, proofs
from warnd.ledger.events import Stamp
from warnd.ledger.proofs import Group
from warnd.ledger.values import dumps, maybe_ms, to_ms
from warnd.model.evidence import Evidence
from warnd.model.sms import Answer, parse_reply

_TRUNCATED_MS = 1_000  # Gateways tell whole seconds.


def apply(conn: Connection, reply: Reply, group: Group, *, stamp: Stamp) -> None:
    """Keep a reply, and let it do what it says; what it answers is added to the group."""
    key = hashlib.sha256(dumps([reply.address, reply.text, maybe_ms(reply.at)]).encode()).hexdigest()
    answer = parse_reply(reply.text)
    message_no = None
    if answer.digit is not None or answer.bare_ok:
        message_no = digits.meant(conn, address=reply.address, digit=answer.digit)
    answered: Sequence[int] = ()
    if message_no is not None and _old(conn, reply, message_no, key=key):
        return
    if message_no is not None:
        answered = digits.askers(conn, channel=reply.channel, address=reply.address, message_no=message_no)
    owners: Sequence[int | None] = answered or (None,)
    kept = [_keep(conn, reply, delivery_no, key=key, stamp=stamp) for delivery_no in owners]
    if answer.stop or answer.start:
        _obey(conn, reply, answer, fresh=any(kept), stamp=stamp)
    elif any(kept) and message_no is not None and answered:
        digits.close(conn, address=reply.address, message_no=message_no, now_ms=stamp.now_ms)
        for delivery_no in answered:
            group.prove(delivery_no, Evidence.ACKNOWLEDGED, legs=_legs(conn, reply, delivery_no))
    elif any(kept):
        proofs.tell_stranger(conn, reply.channel, key, stamp=stamp)


def _old(conn: Connection, reply: Reply, message_no: int, *, key: str) -> bool:
    """Say whether this very reply came before, and was written before the question was.

    A gateway that brings yesterday's "1" again must not confirm the message that asks for 1 today. Its time alone proves nothing,
    because gateways' clocks are not ours.
    """
    if reply.at is None:
        return False
    found = conn.execute(
        text(
            "SELECT EXISTS (SELECT 1 FROM receipt WHERE channel = :channel AND key >= :low AND key < :high) AND EXISTS "
            "(SELECT 1 FROM reply_digit WHERE address = :address AND message_no = :message AND opened_at > :at)"
        ),
        {
            "channel": reply.channel,
            "low": f"{key}:",
            "high": f"{key};",
            "address": reply.address,
            "message": message_no,
            "at": to_ms(reply.at) + _TRUNCATED_MS,
        },
    )
    return bool(found.scalar())


def _obey(conn: Connection, reply: Reply, answer: Answer, *, fresh: bool, stamp: Stamp) -> None:
    """Turn messages off or on; without a time a second request cannot be told from a copy of the first, and is a request."""
    if fresh or reply.at is None:
        change = optouts.ask if answer.stop else optouts.end
        change(conn, channel=reply.channel, address=reply.address, stamp=stamp)


def _legs(conn: Connection, reply: Reply, delivery_no: int) -> list[int]:
    """Return the leg that asked where the reply came from."""
    rows = conn.execute(
        text("SELECT no FROM leg WHERE delivery_no = :delivery AND channel = :channel AND address = :address"),
        {"delivery": delivery_no, "channel": reply.channel, "address": reply.address},
    )
    return list(rows.scalars())


def _keep(conn: Connection, reply: Reply, delivery_no: int | None, *, key: str, stamp: Stamp) -> bool:
    return proofs.keep(
        conn,
        {
            "channel": reply.channel,
            "kind": "reply",
            "key": f"{key}:{delivery_no or ''}",
            "delivery_no": delivery_no,
            "evidence": int(Evidence.ACKNOWLEDGED if delivery_no is not None else Evidence.NONE),
            "failed": 0,
            "at": maybe_ms(reply.at),
            "raw": reply.raw or reply.text,
            "address": reply.address,
        },
        stamp=stamp,
    )
