"""A statement for each of many rows does the same on every kind of store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from tests.stores import store_url
from warnd.ledger.each import execute_each
from warnd.ledger.store import open_engine, upgrade


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[Connection]:
    url = store_url(tmp_path)
    upgrade(url)
    engine = open_engine(url)
    with engine.begin() as made:
        for name in ("one", "two", "three"):
            values = {"id": name, "version": "1"}
            made.execute(
                text(
                    "INSERT INTO worker (writer, name, version, started_at, seen_at) VALUES (:id, :id, :version, 1, 1)"
                ),
                values,
            )
        yield made
        made.rollback()
    engine.dispose()


def _rows(conn: Connection) -> dict[str, tuple[str, int]]:
    rows = conn.execute(text("SELECT writer, version, seen_at FROM worker"))
    return {row.writer: (row.version, row.seen_at) for row in rows}


_UPDATE = (
    "UPDATE worker SET version = coalesce(:version, version), seen_at = CASE WHEN seen_at < :at THEN :at ELSE seen_at END "
    "WHERE writer = :writer AND seen_at <> :at"
)


def test_each_row_gets_its_own_values_and_others_keep_theirs(conn: Connection) -> None:
    big = 2**53 + 1
    execute_each(
        conn,
        _UPDATE,
        [
            {"writer": "one", "version": None, "at": big},
            {"writer": "three", "version": '它\'s "3" :at \\ \u2028', "at": 0},
            {"writer": "nobody", "version": "x", "at": 5},
        ],
    )
    assert _rows(conn) == {"one": ("1", big), "two": ("1", 1), "three": ('它\'s "3" :at \\ \u2028', 1)}


def test_a_column_without_values_is_no_obstacle(conn: Connection) -> None:
    execute_each(
        conn, _UPDATE, [{"writer": "one", "version": None, "at": 9}, {"writer": "two", "version": None, "at": 9}]
    )
    assert {each[1] for name, each in _rows(conn).items() if name != "three"} == {9}


def test_rows_can_be_made_from_rows(conn: Connection) -> None:
    execute_each(
        conn,
        "INSERT INTO worker (writer, name, version, started_at, seen_at) "
        "SELECT CAST(:copy AS TEXT), name, version, started_at, :at FROM worker WHERE writer = :writer",
        [{"writer": "one", "copy": "one more", "at": 7}, {"writer": "two", "copy": "two more", "at": 8}],
    )
    assert _rows(conn)["one more"] == ("1", 7)
    assert _rows(conn)["two more"] == ("1", 8)


def test_no_rows_are_no_statement(conn: Connection) -> None:
    execute_each(conn, "UPDATE nowhere SET a = :a WHERE b = :b", [])


def test_what_is_no_text_is_refused_and_nothing_is_kept_of_it(conn: Connection) -> None:
    with pytest.raises((SQLAlchemyError, ValueError)):
        execute_each(conn, _UPDATE, [{"writer": "one", "version": "\ud800", "at": 9}])


def test_a_text_that_the_store_cannot_keep_whole_is_kept_as_far_as_it_can(conn: Connection) -> None:
    execute_each(conn, _UPDATE, [{"writer": "one", "version": "a\x00b\\u0000", "at": 9}])
    assert _rows(conn)["one"][0] in {"a\x00b\\u0000", "a\ufffdb\\u0000"}
