"""Geocode aliases on their way in and out of the directory. They are few and have no revisions of their own."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, text

Key = tuple[str, str]
"""(scheme in lower case, value)."""


def standing(conn: Connection) -> dict[Key, str]:
    """Return the region of every alias."""
    rows = conn.execute(text("SELECT scheme, value, region FROM region_alias"))
    return {(scheme, value): code for scheme, value, code in rows}


def put(conn: Connection, aliases: Mapping[Key, str]) -> None:
    """Write aliases, over those of the same scheme and value; not without any."""
    conn.execute(
        text(
            "INSERT INTO region_alias (scheme, value, region) VALUES (:scheme, :value, :region) "
            "ON CONFLICT (scheme, value) DO UPDATE SET region = excluded.region"
        ),
        [{"scheme": scheme, "value": value, "region": code} for (scheme, value), code in aliases.items()],
    )


def remove(conn: Connection, keys: Iterable[Key]) -> None:
    """Delete aliases; not without any."""
    conn.execute(
        text("DELETE FROM region_alias WHERE scheme = :scheme AND value = :value"),
        [{"scheme": scheme, "value": value} for scheme, value in keys],
    )
