"""A database that cannot be used is told of in one line that says what to do, and never shows the password."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import SQLAlchemyError

from tests import postgresql, stores
from tests.fakes.command import run
from tests.ports import free_port
from warnd.ledger import trouble
from warnd.ledger.store import StoreError, open_engine, upgrade

pytestmark = stores.only("postgresql", "tells of its databases")

_SECRET = "not-to-be-shown"
_WAYS = {
    "ICU": ("LOCALE_PROVIDER icu ICU_LOCALE 'zh' LC_COLLATE 'C' LC_CTYPE 'C' ENCODING 'UTF8'", "the rules of ICU"),
    "no Unicode": ("LC_COLLATE 'C' LC_CTYPE 'C' ENCODING 'SQL_ASCII'", "SQL_ASCII"),
}


@pytest.mark.parametrize(("way", "named"), _WAYS.values(), ids=_WAYS.keys())
def test_a_database_that_sorts_otherwise_is_refused_with_how_to_make_one(way: str, named: str, tmp_path: Path) -> None:
    url = stores.new_database(empty=True, how=f"TEMPLATE template0 {way}")
    with pytest.raises(StoreError, match=named) as refused:
        upgrade(url)
    advice = str(refused.value).rpartition("To make one: ")[2].rstrip(".")
    name = make_url(url).database
    assert advice.startswith(f'CREATE DATABASE "{name}" OWNER "postgres" ')
    postgresql.run(f"DROP DATABASE {name}")
    postgresql.run(advice)
    upgrade(url)
    checked = run("check", "--config", _config(tmp_path, url))
    assert f"postgresql://postgres@127.0.0.1:{postgresql.port()}/{name} answers\n" in checked.out


def _config(folder: Path, url: str) -> str:
    (folder / "warnd.toml").write_text(f'store.url = "{url}"\n', "utf-8")
    return str(folder / "warnd.toml")


def _wrong_password() -> str:
    postgresql.run(f"DROP ROLE IF EXISTS {postgresql.ASKED_FOR_PASSWORD}")
    postgresql.run(f"CREATE ROLE {postgresql.ASKED_FOR_PASSWORD} LOGIN PASSWORD 'another'")
    return _as(postgresql.ASKED_FOR_PASSWORD, stores.new_database(empty=True))


def _no_rights() -> str:
    postgresql.run("DROP ROLE IF EXISTS guest")
    postgresql.run(f"CREATE ROLE guest LOGIN PASSWORD '{_SECRET}'")
    return _as("guest", stores.new_database(empty=True))


def _as(user: str, url: str) -> str:
    return make_url(url).set(username=user, password=_SECRET).render_as_string(hide_password=False)


TROUBLE: dict[str, tuple[Callable[[], str], str]] = {
    "the server is down": (lambda: f"postgresql://warnd:{_SECRET}@127.0.0.1:{free_port()}/warnd", "refused"),
    "no such database": (lambda: _as("postgres", stores.address("nowhere")), 'database "nowhere" does not exist'),
    "a wrong password": (_wrong_password, "password authentication failed"),
    "no rights": (_no_rights, "permission denied"),
}


@pytest.mark.parametrize(("where", "cause"), TROUBLE.values(), ids=TROUBLE.keys())
def test_a_database_that_cannot_be_opened_is_told_of_without_its_password(
    where: Callable[[], str], cause: str, tmp_path: Path
) -> None:
    url = where()
    config = _config(tmp_path, url)
    for command in (("db", "upgrade"), ("token", "create", "--scope", "read"), ("audit", "verify")):
        ran = run(*command, "--config", config)
        assert (ran.code, ran.out) == (3, "")
        assert cause in ran.err or command == ("audit", "verify")
        assert "store.password_file" in ran.err
        assert "CREATE DATABASE" in ran.err
        assert _SECRET not in ran.err
        assert "Traceback" not in ran.err
        assert len(ran.err.splitlines()) == 1
    checked = run("check", "--config", config)
    assert _SECRET not in checked.out + checked.err


def test_a_password_file_opens_the_database(tmp_path: Path) -> None:
    url = _wrong_password()
    postgresql.run(f"ALTER DATABASE {make_url(url).database} OWNER TO {postgresql.ASKED_FOR_PASSWORD}")
    (tmp_path / "password").write_text("another\n", "utf-8")
    bare = url.replace(f":{_SECRET}@", "@")
    (tmp_path / "warnd.toml").write_text(f'store.url = "{bare}"\nstore.password_file = "password"\n', "utf-8")
    ran = run("db", "upgrade", "--config", str(tmp_path / "warnd.toml"))
    assert (ran.code, ran.err) == (0, "")
    assert "another" not in ran.out


UNFIT = {
    "a number beyond the column": (
        "INSERT INTO worker (writer, name, version, started_at, seen_at) VALUES ('', '', '', :at, 0)",
        True,
    ),
    "a second copy": ("INSERT INTO meta (key, value) VALUES ('x', ''), ('x', :at)", True),
    "a value longer than its index takes": (
        "INSERT INTO meta (key, value) SELECT string_agg(md5(CAST(n AS TEXT)), ''), '' FROM generate_series(1, 300) AS n",
        True,
    ),
    "a missing table": ("INSERT INTO nowhere VALUES (:at)", False),
    "a missing column": ("UPDATE meta SET nothing = :at", False),
    "a missing right": ("SET LOCAL ROLE pg_monitor; UPDATE meta SET value = ''", False),
    "a connection that is lost": ("SELECT pg_terminate_backend(pg_backend_pid())", False),
}


@pytest.mark.parametrize(("statement", "unfit"), UNFIT.values(), ids=UNFIT.keys())
def test_what_is_recorded_is_given_back_only_if_it_is_at_fault_itself(statement: str, *, unfit: bool) -> None:
    engine = open_engine(stores.new_database())
    values = {"at": 2**70} if ":at" in statement else {}
    with pytest.raises(SQLAlchemyError) as refused, engine.begin() as conn:
        conn.execute(text(statement), values)
    engine.dispose()
    assert trouble.unfit(refused.value) is unfit
    assert trouble.passing(refused.value) is not unfit
