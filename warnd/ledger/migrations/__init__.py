"""Brings a store to this version's tables, by Alembic, from wherever it stands."""

from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def _scripts() -> tuple[Config, ScriptDirectory]:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config, ScriptDirectory.from_config(config)


def migrate(conn: Connection) -> None:
    """Run every migration that this store lacks, inside the caller's transaction."""
    config, scripts = _scripts()
    with EnvironmentContext(config, scripts, fn=lambda rev, _context: scripts._upgrade_revs("head", rev)) as context:  # noqa: SLF001 - Alembic's own env.py template does the same through the command line
        context.configure(connection=conn, target_metadata=None, transactional_ddl=True, transaction_per_migration=False)
        context.run_migrations()


def version(conn: Connection) -> str | None:
    """Return the migration that the store stands at; None = empty."""
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(conn).get_current_revision()
