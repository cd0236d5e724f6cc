"""Browsers that asked to be told of warnings for a place. Nobody's name is known: a subscription is an address and a region."""

from collections.abc import Collection
from typing import Literal

from sqlalchemy import Connection, text

from warnd.ledger.directory import find_jurisdiction, paths
from warnd.model.push import Subscription
from warnd.model.region import stored_code

PLACES_MAX = 20  # Of one browser.

Refused = Literal["unknown_region", "too_many_places", "full"]


def subscribe(
    conn: Connection,
    *,
    subscription: Subscription,
    region: str,
    lang: str,
    jurisdiction: Collection[str],
    most: int,
    now_ms: int,
) -> Refused | None:
    """Keep that a browser wants to hear of a place; asked again, its keys and language are those of today.

    `most` is how many subscriptions are kept in all. Returns why it was refused, or None.
    """
    code = stored_code(region)
    path = paths(conn, codes=[code]).get(code)
    if path is None or not find_jurisdiction(conn, codes=jurisdiction).covers(path):
        return "unknown_region"
    places = _places(conn, subscription.hash)
    if code not in places and (len(places) >= PLACES_MAX or _count(conn) >= most):
        return "too_many_places" if len(places) >= PLACES_MAX else "full"
    values = {"hash": subscription.hash, "address": subscription.address, "lang": lang}
    conn.execute(text("UPDATE subscription SET address = :address, lang = :lang WHERE endpoint_hash = :hash"), values)
    conn.execute(
        text(
            "INSERT INTO subscription (address, endpoint_hash, region, lang, made_at) VALUES (:address, :hash, :region, :lang, :now) "
            "ON CONFLICT (endpoint_hash, region) DO NOTHING"
        ),
        {**values, "region": code, "now": now_ms},
    )
    return None


def unsubscribe(conn: Connection, *, endpoint_hash: str, region: str | None) -> int:
    """Forget that a browser wants to hear of a place, or of any; return how many subscriptions ended."""
    ended = conn.execute(
        text(
            "DELETE FROM subscription WHERE endpoint_hash = :hash AND (CAST(:region AS TEXT) IS NULL OR region = :region)"
        ),
        {"hash": endpoint_hash, "region": None if region is None else stored_code(region)},
    )
    return ended.rowcount


def move(conn: Connection, *, old_hash: str, subscription: Subscription) -> bool:
    """Give a browser's subscriptions its new address; False if it has none. Those it has there already stay."""
    values = {"old": old_hash, "hash": subscription.hash, "address": subscription.address}
    conn.execute(
        text(
            "INSERT INTO subscription (address, endpoint_hash, region, lang, made_at) SELECT :address, :hash, region, lang, made_at "
            "FROM subscription WHERE endpoint_hash = :old ORDER BY no ON CONFLICT (endpoint_hash, region) DO NOTHING"
        ),
        values,
    )
    if old_hash == subscription.hash:
        return bool(_places(conn, old_hash))
    return unsubscribe(conn, endpoint_hash=old_hash, region=None) > 0


def drop(conn: Connection, *, leg_nos: Collection[int]) -> None:
    """Forget the browsers that these legs were for: their push service says that they are gone."""
    if leg_nos:
        conn.execute(
            text(
                "DELETE FROM subscription WHERE endpoint_hash IN (SELECT p.target FROM leg l JOIN publication p ON p.no = l.publication_no "
                "WHERE l.no = :leg AND l.channel = 'push')"
            ),
            [{"leg": no} for no in leg_nos],
        )


def _places(conn: Connection, endpoint_hash: str) -> set[str]:
    rows = conn.execute(text("SELECT region FROM subscription WHERE endpoint_hash = :hash"), {"hash": endpoint_hash})
    return set(rows.scalars())


def _count(conn: Connection) -> int:
    count: int = conn.execute(text("SELECT count(*) FROM subscription")).scalar_one()
    return count
