"""Marking a village costs the same however many villages a message has."""

import re
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from tests import stores
from warnd.ledger import villages
from warnd.ledger.events import Stamp
from warnd.ledger.store import open_engine, upgrade
from warnd.model.evidence import Evidence


@pytest.fixture
def statements(tmp_path: Path) -> list[str]:
    """Return what is executed when a terminal has played and an officer has answered, each as the database plans it."""
    url = stores.store_url(tmp_path)
    upgrade(url)
    engine = open_engine(url)
    seen: list[str] = []
    plans: list[str] = []
    with engine.begin() as conn:
        _one_village(conn)
        event.listen(conn, "before_cursor_execute", lambda _conn, _cursor, statement, *_: seen.append(statement))
        villages.heard(conn, [(1, Evidence.PRESENTED), (2, Evidence.ACKNOWLEDGED)], stamp=Stamp(5, "writer"))
        of_targets = [one for one in seen if "target " in one]
        for statement in of_targets:
            blanks = [None] * statement.count("?")
            rows = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(blanks))
            plans.append(" | ".join(row.detail for row in rows))
    engine.dispose()
    return plans


def _one_village(conn: Connection) -> None:
    for statement in (
        (
            "INSERT INTO message (no, id, kind, drill, urgency, plan, directory_rev, stage, cursor, released_at, expires_at, chain_id, "
            "seq, terminal_rule, bare_rule, public) VALUES (1, 'm', 'warning', 0, 1, '{}', 1, 'planned', '{}', 0, 9, 'm', 1, "
            "'both', 'officer', 1)"
        ),
        "INSERT INTO target (message_no, code, path, tier, ancestor) VALUES (1, 'v', '/v/', 'village', 0)",
        "INSERT INTO recipient (no, id) VALUES (1, 'speaker'), (2, 'officer')",
        (
            "INSERT INTO recipient_version (no, recipient_no, from_rev, kind, name, region, lang) VALUES "
            "(1, 1, 1, 'terminal', 't', 'v', ''), (2, 2, 1, 'person', 'p', 'v', '')"
        ),
        "INSERT INTO seat (version_no, role, region) VALUES (2, 'information_officer', 'v')",
        (
            "INSERT INTO delivery (no, message_no, recipient_no, version_no, purpose, subject, region, audience, proof, evidence, state) "
            "VALUES (1, 1, 1, 1, 'warning', '', 'v', 0, 3, 3, 'satisfied'), (2, 1, 2, 2, 'warning', '', 'v', 0, 4, 4, 'satisfied')"
        ),
    ):
        conn.exec_driver_sql(statement)


@stores.only("sqlite", "asks that one how it would look")
def test_a_village_is_found_by_its_key_and_never_among_all(statements: list[str]) -> None:
    looks = [
        detail for plan in statements for detail in plan.split(" | ") if re.match(r"(SEARCH|SCAN) (target|t)\b", detail)
    ]
    assert len(looks) >= 3
    assert [each for each in looks if "(message_no=? AND code=?)" not in each and "(rowid=?)" not in each] == []
