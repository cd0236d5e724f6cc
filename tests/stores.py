"""Where tests keep their stores: SQLite files, or databases of a private PostgreSQL cluster in a run with `--store postgresql`.

The cluster is made once for a test process, in a folder of its own, without durability; each store in it is a copy of one that was
upgraded before, which takes a few hundredths of a second, and goes with the fixture or test that it was made for.
"""

import asyncio
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url

from tests import postgresql
from warnd.ledger.store import InlineLedger, open_engine, open_inline, upgrade

KINDS = ("sqlite", "postgresql")
_TEMPLATE = "TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
_TESTS = Path(__file__).parent
_FAR_FOLDERS = frozenset({"browser", "contract", "fleet", "outside"})
_FAR_FILES = tuple(
    f"test_{subject}"
    for subject in (
        *(
            "apprise",
            "cli_check_live",
            "demo",
            "display",
            "email",
            "http_gateway",
            "mqtt",
            "public_site",
            "push_routes",
        ),
        *("smpp", "speech", "story_21", "story_22", "story_24", "terminal", "twilio", "vandal", "webhook", "workshop"),
    )
)
_numbers = count(1)
_kind = "sqlite"
_scopes = ["function"]
_made: dict[str, list[str]] = {}
_opened: dict[str, list[InlineLedger]] = {}
_known: dict[tuple[Path, str], str] = {}


def use(kind: str) -> None:
    """Choose the kind of every store that this run makes."""
    global _kind  # noqa: PLW0603 - a choice of the whole run, made once before its first test
    _kind = kind


def kind() -> str:
    """Return the kind of store that this run uses."""
    return _kind


def only(what: str, why: str) -> pytest.MarkDecorator:
    """Mark tests that are about one kind of store; the run on the other skips them and says `why`."""
    return pytest.mark.store(what, why)


def concerns(test: Path) -> bool:
    """Say whether this run has to run a file of tests: on SQLite all, on PostgreSQL those whose imports lead here."""
    if _kind == "sqlite":
        return True
    near = (folder / "conftest.py" for folder in test.parents if _TESTS in folder.parents)
    return any(_leads_here(each) for each in (test, *(one for one in near if one.exists())))


def far(test: Path) -> bool:
    """Say whether a file of tests has a store only because a daemon needs one: its subject is a page, a provider or a loudspeaker.

    `make test` runs those on SQLite alone, for its time is bounded; `make test-postgresql` runs them on PostgreSQL, too.
    """
    inside = test.relative_to(_TESTS)
    return inside.parts[0] in _FAR_FOLDERS or inside.name.startswith(_FAR_FILES)


@cache
def _leads_here(path: Path) -> bool:
    if path == Path(__file__):
        return True
    names = re.findall(
        r"^\s*(?:from|import) (tests(?:\.\w+)*)(?: import \(?([\w, ]+))?", path.read_text("utf-8"), re.MULTILINE
    )
    wanted = {module for module, _ in names} | {
        f"{module}.{one.strip()}" for module, told in names for one in told.split(",")
    }
    files = (_TESTS.parent.joinpath(*name.split(".")).with_suffix(".py") for name in wanted)
    return any(_leads_here(each) for each in files if each.exists())


@contextmanager
def reading(url: str) -> Iterator[Connection]:
    """Read a store beside whoever serves it, or after them."""
    engine = open_engine(url, begin="BEGIN")
    try:
        with engine.connect() as conn, conn.begin():
            yield conn
    finally:
        engine.dispose()


def store_url(folder: Path, name: str = "warnd") -> str:
    """Return the address of the store called `name` that belongs to `folder`; the same for the same two. It may be empty or upgraded."""
    if _kind == "sqlite":
        return f"sqlite:///{folder / name}.sqlite"
    if (folder, name) not in _known:
        _known[folder, name] = new_database()
    return _known[folder, name]


def empty_url(folder: Path, name: str = "warnd") -> str:
    """Return what `store_url` does, of a store without tables."""
    if _kind != "sqlite" and (folder, name) not in _known:
        _known[folder, name] = new_database(empty=True)
    return store_url(folder, name)


def copy(folder: Path, to: Path, name: str = "warnd") -> str:
    """Copy the store called `name` of one folder to another, as kill -9 would leave it now: what is committed, and nothing else."""
    source = store_url(folder, name)
    if _kind == "sqlite":
        here, there = (sqlite3.connect(each / f"{name}.sqlite") for each in (folder, to))
        with closing(here), closing(there):
            here.backup(there)
    else:
        _known[to, name] = _create(f"TEMPLATE {_alone(source)}")
    return store_url(to, name)


def inline() -> InlineLedger:
    """Return a fresh store that is nobody's; on SQLite it is in memory."""
    ledger = open_inline() if _kind == "sqlite" else open_inline(new_database())
    _opened.setdefault(_scopes[-1], []).append(ledger)
    return ledger


def new_database(*, empty: bool = False, how: str = _TEMPLATE) -> str:
    """Return the address of a fresh PostgreSQL database, upgraded unless `empty`. Skips where PostgreSQL is not installed.

    `how` makes an empty one otherwise than warnd wants it.
    """
    return _create(how if empty else f"TEMPLATE {_upgraded()}")


def cluster() -> int:
    """Return the port of this process's server, started by the first who asks. Skips where PostgreSQL is not installed."""
    return postgresql.port()


def address(name: str) -> str:
    """Return the address of a database of the cluster."""
    return f"postgresql://postgres@127.0.0.1:{cluster()}/{name}"


@contextmanager
def made_for(scope: str) -> Iterator[None]:
    """Let stores that are made inside live as long as a fixture of this scope."""
    _scopes.append(scope)
    try:
        yield
    finally:
        _scopes.pop()


def drop(scope: str) -> None:
    """Throw away what was made for a scope that has ended."""
    for ledger in _opened.pop(scope, []):
        asyncio.run(ledger.close())
    for name in _made.pop(scope, []):
        postgresql.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _create(how: str) -> str:
    name = f"store{next(_numbers)}"
    postgresql.run(f"CREATE DATABASE {name} {how}")
    _made.setdefault(_scopes[-1], []).append(name)
    return address(name)


@cache
def _upgraded() -> str:
    postgresql.run("DROP DATABASE IF EXISTS upgraded")  # Left by an upgrade that failed.
    postgresql.run(f"CREATE DATABASE upgraded {_TEMPLATE}")
    upgrade(address("upgraded"))
    return "upgraded"


def _alone(url: str) -> str:
    """Break off whoever is connected to a database: a server copies only what nobody has open. They connect again."""
    name = make_url(url).database or ""
    postgresql.run(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")
    return name
