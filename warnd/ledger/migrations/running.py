"""Runs the migrations."""

from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from warnd.ledger.migrations import NewerStore
from warnd.ledger.migrations.readers import required


def scripts() -> tuple[Config, ScriptDirectory]:
    """Return this version's migrations."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config, ScriptDirectory.from_config(config)


def migrate(conn: Connection, *, at: str | None) -> str | None:
    """See `warnd.ledger.migrations.migrate`; the store stands `at` this migration."""
    config, folder = scripts()
    known = {script.revision for script in folder.walk_revisions()}
    if at is not None and at not in known:
        if required(conn) in known:
            return at
        raise NewerStore(f"The store stands at migration {at}, which is newer than this warnd.")
    with EnvironmentContext(config, folder, fn=lambda rev, _context: folder._upgrade_revs("head", rev)) as context:  # noqa: SLF001 - Alembic's own env.py template does the same through the command line
        context.configure(
            connection=conn, target_metadata=None, transactional_ddl=True, transaction_per_migration=False
        )
        context.run_migrations()
    return None
