"""Brings a store to this version's tables, by Alembic, from wherever it stands."""

from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from warnd.ledger.migrations.readers import required


def _scripts() -> tuple[Config, ScriptDirectory]:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config, ScriptDirectory.from_config(config)


class NewerStore(Exception):  # noqa: N818 - the fact in the fewest words
    """The store was made by a newer warnd, whose migrations are not known here."""


def migrate(conn: Connection) -> str | None:
    """Run every migration that this store lacks, inside the caller's transaction.

    Returns:
        The migration of a newer warnd that the store stands at, if this version can work there all the same; else None.

    Raises:
        NewerStore: The store stands at a migration that this version does not have, and needs programs newer than this one.
    """
    config, scripts = _scripts()
    at = version(conn)
    known = {script.revision for script in scripts.walk_revisions()}
    if at is not None and at not in known:
        if required(conn) in known:
            return at
        raise NewerStore(f"The store stands at migration {at}, which is newer than this warnd.")
    with EnvironmentContext(config, scripts, fn=lambda rev, _context: scripts._upgrade_revs("head", rev)) as context:  # noqa: SLF001 - Alembic's own env.py template does the same through the command line
        context.configure(
            connection=conn, target_metadata=None, transactional_ddl=True, transaction_per_migration=False
        )
        context.run_migrations()
    return None


def newest(conn: Connection) -> bool:
    """Say whether the store has every migration of this version, and none that is newer."""
    return version(conn) == _scripts()[1].get_current_head()


def version(conn: Connection) -> str | None:
    """Return the migration that the store stands at; None = empty."""
    return MigrationContext.configure(conn).get_current_revision()
