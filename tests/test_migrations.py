"""The store's tables come from migrations; what the code believes about them must be what they make."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.stores import store_url
from warnd.ledger.migrations import migrate, version
from warnd.ledger.migrations.readers import require
from warnd.ledger.schema import metadata
from warnd.ledger.store import StoreError, open_engine, upgrade


def test_the_migrations_make_the_schema(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'a.sqlite'}")
    with engine.begin() as conn:
        migrate(conn)
        assert compare_metadata(MigrationContext.configure(conn, opts={"compare_type": True}), metadata) == []
        made = {
            name
            for (name,) in conn.execute(text("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"))
        }
        assert made == {str(index.name) for table in metadata.tables.values() for index in table.indexes}
    engine.dispose()


def test_an_upgrade_of_an_upgraded_store_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.sqlite'}"
    upgrade(url)
    engine = open_engine(url)
    with engine.begin() as conn:
        conn.execute(text("INSERT INTO meta (key, value) VALUES ('tag', 'x')"))
    upgrade(url)
    with engine.begin() as conn:
        assert conn.execute(text("SELECT value FROM meta WHERE key = 'tag'")).scalar() == "x"
        assert version(conn) == "0003"
    engine.dispose()


def test_the_database_refuses_a_move_that_is_not_in_the_table(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'a.sqlite'}")
    with engine.begin() as conn:
        migrate(conn)
        conn.execute(
            text(
                "INSERT INTO warning (id, chain_id, seq, sender, identifier, sent, status, msg_type, scope, event, headline, refs, state, "
                "reasons, approvals, content_hash, document, received_at, source) VALUES ('w', 'w', 1, 's', 'i', 0, 'Actual', 'Alert', "
                "'Public', '', '', '[]', 'expired', '[]', '[]', '', '', 0, 'test')"
            )
        )
    with pytest.raises(IntegrityError, match="illegal move"), engine.begin() as conn:
        conn.execute(text("UPDATE warning SET state = 'dispatching' WHERE id = 'w'"))
    engine.dispose()


def test_a_file_that_is_no_store_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "letter.sqlite"
    path.write_bytes(b"Dear Sir or Madam, this is not a database." * 100)
    with pytest.raises(StoreError, match=r"letter\.sqlite.*Check"):
        upgrade(f"sqlite:///{path}")


@pytest.mark.parametrize("oldest", ["9999", None])
def test_a_store_that_needs_a_newer_version_is_refused_in_words(oldest: str | None, tmp_path: Path) -> None:
    url = _gone_on(tmp_path, oldest=oldest)
    with pytest.raises(StoreError, match=r"migration 9999, which is newer than this warnd\. Install the version"):
        upgrade(url)


def test_a_store_that_a_newer_version_only_added_to_is_worked_on(tmp_path: Path) -> None:
    url = _gone_on(tmp_path, oldest="0003")
    assert upgrade(url) == "9999"
    engine = open_engine(url)
    with engine.begin() as conn:
        assert version(conn) == "9999"
    engine.dispose()


def test_nothing_is_said_of_a_store_that_stands_where_this_version_does(tmp_path: Path) -> None:
    url = store_url(tmp_path)
    assert (upgrade(url), upgrade(url)) == (None, None)


def _gone_on(folder: Path, *, oldest: str | None) -> str:
    """Return a store that a newer version has upgraded; it says that programs must know `oldest`."""
    url = store_url(folder)
    upgrade(url)
    engine = open_engine(url)
    with engine.begin() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        if oldest is None:
            conn.execute(text("DELETE FROM meta WHERE key = 'oldest_reader'"))
        else:
            require(conn, revision=oldest)
    engine.dispose()
    return url
