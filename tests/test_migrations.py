"""The store's tables come from migrations; what the code believes about them must be what they make."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import IntegrityError

from tests import stores
from warnd.ledger.migrations import NEWEST, newest, version
from warnd.ledger.migrations.readers import require
from warnd.ledger.migrations.running import scripts
from warnd.ledger.schema import metadata
from warnd.ledger.store import StoreError, open_engine, upgrade


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the address of a store that has no tables yet."""
    return stores.empty_url(tmp_path)


def _indexes(engine: Engine) -> set[str]:
    """Return the indexes that somebody made, as opposed to those that a constraint needs."""
    found = inspect(engine)
    return {
        str(index["name"])
        for table in found.get_table_names()
        for index in found.get_indexes(table)
        if not index.get("duplicates_constraint") and not str(index["name"]).startswith("sqlite_autoindex")
    }


def test_the_migrations_make_the_schema(url: str) -> None:
    upgrade(url)
    engine = open_engine(url)
    with engine.begin() as conn:
        assert compare_metadata(MigrationContext.configure(conn, opts={"compare_type": True}), metadata) == []
    assert _indexes(engine) == {str(index.name) for table in metadata.tables.values() for index in table.indexes}
    engine.dispose()


def test_an_upgrade_of_an_upgraded_store_changes_nothing(url: str) -> None:
    upgrade(url)
    engine = open_engine(url)
    with engine.begin() as conn:
        conn.execute(text("INSERT INTO meta (key, value) VALUES ('tag', 'x')"))
    upgrade(url)
    with engine.begin() as conn:
        assert conn.execute(text("SELECT value FROM meta WHERE key = 'tag'")).scalar() == "x"
        assert newest(conn)
        assert version(conn) == "0003"
    engine.dispose()


def test_an_upgraded_store_is_not_kept_waiting_by_who_writes(url: str) -> None:
    upgrade(url)
    engine = open_engine(url)
    with engine.begin() as conn:
        conn.execute(text("INSERT INTO meta (key, value) VALUES ('tag', 'x')"))
        upgrade(url)  # Else it would wait for this very transaction, and fail.
    engine.dispose()


def test_two_that_upgrade_at_once_do_not_break_each_other(url: str) -> None:
    with ThreadPoolExecutor(2) as both:
        for done in [both.submit(upgrade, url) for _ in range(2)]:
            done.result(30)
    engine = open_engine(url)
    with engine.begin() as conn:
        assert newest(conn)
    engine.dispose()


def test_the_database_refuses_a_move_that_is_not_in_the_table(url: str) -> None:
    upgrade(url)
    engine = open_engine(url)
    with engine.begin() as conn:
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


@stores.only("sqlite", "is about a file")
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
    url = stores.store_url(tmp_path)
    assert (upgrade(url), upgrade(url)) == (None, None)


def _gone_on(folder: Path, *, oldest: str | None) -> str:
    """Return a store that a newer version has upgraded; it says that programs must know `oldest`."""
    url = stores.store_url(folder)
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


def test_the_newest_migration_is_the_one_that_is_named() -> None:
    assert scripts()[1].get_current_head() == NEWEST
