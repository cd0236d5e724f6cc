"""Bearer tokens: who may do what. Only their hashes are kept, so that a stolen store opens no door."""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, text

from warnd.ledger.values import dumps, to_ms
from warnd.model.authority import Principal, Scope


def hashed(token: str) -> str:
    """Return what is kept of a token. Tokens are long and random, so that a plain hash withstands guessing."""
    return hashlib.sha256(token.encode()).hexdigest()


def create(
    conn: Connection,
    *,
    token_hash: str,
    scope: Scope,
    senders: Iterable[str] = (),
    region: str | None = None,
    now: datetime,
) -> int:
    """Keep a new token's hash with what it may do; return its number, which the record names it by.

    Args:
        conn: Writes.
        token_hash: By `hashed`, of at least 128 random bits.
        scope: read, submit, release or admin.
        senders: CAP senders it may speak for; none = any.
        region: Code of the subtree that its warnings may target; None = the whole jurisdiction.
        now: Aware UTC.
    """
    no: int = conn.execute(
        text(
            "INSERT INTO token (hash, scope, senders, region, created_at) "
            "VALUES (:hash, :scope, :senders, :region, :now) RETURNING no"
        ),
        {
            "hash": token_hash,
            "scope": scope,
            "senders": dumps(sorted(set(senders))),
            "region": region,
            "now": to_ms(now),
        },
    ).scalar_one()
    return no


def find(conn: Connection, *, token_hash: str) -> Principal | None:
    """Return whose token this is; None if nobody's, or revoked."""
    row = conn.execute(
        text("SELECT no, scope, senders, region FROM token WHERE hash = :hash AND revoked_at IS NULL"),
        {"hash": token_hash},
    ).one_or_none()
    if row is None:
        return None
    return Principal(
        name=f"token:{row.no}", scope=row.scope, senders=frozenset(json.loads(row.senders)), region=row.region
    )
