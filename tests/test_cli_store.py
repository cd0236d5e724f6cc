"""`token create`, `db upgrade`, `audit verify`: the commands that open the store themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from tests import stores
from tests.fakes.command import run
from warnd.ledger import events, tokens
from warnd.ledger.events import Stamp
from warnd.ledger.store import open_engine


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "warnd.toml"
    path.write_text(f'[store]\nurl = "{stores.empty_url(tmp_path)}"\n', "utf-8")
    return str(path)


@contextmanager
def opened(config: str) -> Iterator[Connection]:
    engine = open_engine(stores.store_url(Path(config).parent))
    with engine.begin() as conn:
        yield conn
    engine.dispose()


def test_token_create_prints_only_a_token_that_opens_what_was_asked(config: str) -> None:
    ran = run(
        "token",
        "create",
        "--scope",
        "release",
        "--sender",
        "a@b",
        "--sender",
        "c@d",
        "--region",
        "9901",
        "--config",
        config,
    )
    assert ran.code == 0
    token = ran.out.rstrip("\n")
    assert token.startswith("warnd_")
    assert len(token.split()) == 1
    with opened(config) as conn:
        principal = tokens.find(conn, token_hash=tokens.hashed(token))
    assert principal is not None
    assert (principal.scope, principal.senders, principal.region) == (
        "release",
        frozenset({"a@b", "c@d"}),
        "990100000000",
    )
    assert "not imported" in ran.err


@pytest.mark.parametrize("words", [(), ("--scope", "king"), ("--scope", "read", "--sender", " ")])
def test_a_token_without_a_proper_scope_or_sender_is_usage(config: str, words: tuple[str, ...]) -> None:
    assert run("token", "create", *words, "--config", config).code == 2


def test_settings_that_are_not_there_are_exit_3_and_wrong_ones_exit_2(tmp_path: Path) -> None:
    missing = run("db", "upgrade", "--config", str(tmp_path / "none.toml"))
    assert missing.code == 3
    assert "none.toml" in missing.err
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[stor]\nurl = 3\n", "utf-8")
    ran = run("db", "upgrade", "--config", str(wrong))
    assert ran.code == 2
    assert f"{wrong}:1" in ran.err


@stores.only("sqlite", "is about where a file is made")
def test_a_store_that_cannot_be_made_is_exit_3(tmp_path: Path) -> None:
    config = tmp_path / "warnd.toml"
    config.write_text('[store]\nurl = "sqlite:///no/such/folder/x.sqlite"\n', "utf-8")
    ran = run("db", "upgrade", "--config", str(config))
    assert ran.code == 3
    assert "Traceback" not in ran.err


def test_upgrade_is_safe_to_repeat(config: str) -> None:
    assert run("db", "upgrade", "--config", config).code == 0
    assert run("db", "upgrade", "--config", config).code == 0


def test_audit_finds_a_changed_byte_and_says_where(config: str) -> None:
    assert run("audit", "verify", "--config", config).code == 3, "there is no store yet"
    run("db", "upgrade", "--config", config)
    with opened(config) as conn:
        for number in range(3):
            events.append(conn, stamp=Stamp(number, "w"), kind="released", message_id="m", data={"n": number})
    assert run("audit", "verify", "--config", config).code == 0
    with opened(config) as conn:
        conn.execute(text("UPDATE event SET data = :other WHERE seq = 2"), {"other": '{"n":9}'})
    ran = run("audit", "verify", "--config", config)
    assert ran.code == 1
    assert "writer w, number 2" in ran.err


@stores.only("sqlite", "is about a file")
def test_a_file_that_is_no_store_is_exit_3(config: str) -> None:
    Path(config).with_name("warnd.sqlite").write_bytes(b"not a database" * 100)
    ran = run("audit", "verify", "--config", config)
    assert ran.code == 3
    assert "warnd store" in ran.err
