"""Brings a store to this version's tables, by Alembic, from wherever it stands.

Alembic is imported only by `running`, for a store that does not stand at this version: that is a tenth of what a start takes.
"""

from sqlalchemy import Connection, inspect, text

NEWEST = "0003"
"""The last of this version's migrations."""


class NewerStore(Exception):  # noqa: N818 - the fact in the fewest words
    """The store was made by a newer warnd, whose migrations are not known here."""


def migrate(conn: Connection) -> str | None:
    """Run every migration that this store lacks, inside the caller's transaction.

    Returns:
        The migration of a newer warnd that the store stands at, if this version can work there all the same; else None.

    Raises:
        NewerStore: The store stands at a migration that this version does not have, and needs programs newer than this one.
    """
    from warnd.ledger.migrations import running  # noqa: PLC0415 - see the module

    return running.migrate(conn, at=version(conn))


def newest(conn: Connection) -> bool:
    """Say whether the store has every migration of this version, and none that is newer."""
    return version(conn) == NEWEST


def version(conn: Connection) -> str | None:
    """Return the migration that the store stands at; None = empty."""
    if not inspect(conn).has_table("alembic_version"):
        return None
    found = conn.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return None if found is None else str(found)
