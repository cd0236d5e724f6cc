"""How a worker reaches a database: addresses of several servers, a server that stays silent, and what people are told."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoTurn

from tests import stores
from tests.waiting import until
from warnd.ledger import trouble
from warnd.ledger.address import spread
from warnd.ledger.postgres import SharedLedger
from warnd.ledger.store import _parsed, open_engine, shown

pytestmark = stores.only("postgresql", "a file has no server to connect to")


@pytest.mark.parametrize(
    ("url", "hosts", "ports"),
    [
        ("postgresql://warnd@db1,db2/warnd", "db1,db2", "5432,5432"),
        ("postgresql://warnd:pw@db1:5433,db2:5434,db3/warnd", "db1,db2,db3", "5433,5434,5432"),
        ("postgresql://warnd@[2001:db8::1]:5433,[2001:db8::2]/warnd", "2001:db8::1,2001:db8::2", "5433,5432"),
    ],
)
def test_an_address_may_name_several_servers(url: str, hosts: str, ports: str) -> None:
    parsed = _parsed(url)
    assert (parsed.query["host"], parsed.query["port"], parsed.database) == (hosts, ports, "warnd")
    assert parsed.username == "warnd"


@pytest.mark.parametrize("url", ["sqlite:////var/lib/a,b/warnd.sqlite", "postgresql://warnd:pw@db1:5433/warnd"])
def test_other_addresses_stay_as_they_are(url: str) -> None:
    assert spread(url) == url


def test_an_address_of_several_servers_is_shown_without_its_password() -> None:
    assert shown("postgresql://warnd:secret@db1:5433,db2/warnd") == "postgresql://warnd:***@db1:5433,db2/warnd"
    assert shown("postgresql://warnd@db1,db2/warnd") == "postgresql://warnd@db1,db2/warnd"


async def test_of_several_servers_the_one_that_answers_is_used() -> None:
    url = stores.new_database()
    user, _, host = url.partition("@")
    engine = open_engine(f"{user}@127.0.0.1:1,{host}")
    with engine.begin() as conn:
        assert conn.execute(text("SELECT 1")).scalar_one() == 1
    engine.dispose()


@pytest.fixture
async def ledger() -> AsyncIterator[SharedLedger]:
    opened = SharedLedger(_parsed(stores.new_database()), statement_s=1, turn_s=0.5)
    yield opened
    await opened.close()


def _pid(conn: Connection) -> int:
    return int(conn.execute(text("SELECT pg_backend_pid()")).scalar_one())


async def test_a_server_that_falls_silent_in_the_middle_is_left(ledger: SharedLedger) -> None:
    stopped: list[int] = []

    def stop_and_ask(conn: Connection) -> None:
        stopped.append(_pid(conn))
        os.kill(stopped[0], signal.SIGSTOP)
        _pid(conn)

    try:
        with pytest.raises(OperationalError, match="did not answer within 4 s") as raised:
            await ledger.read(stop_and_ask)
        assert trouble.passing(raised.value)
        assert "does not answer" in trouble.told(raised.value)
    finally:
        os.kill(stopped[0], signal.SIGCONT)


async def test_a_connection_that_fell_silent_while_nobody_used_it_is_replaced(ledger: SharedLedger) -> None:
    silent = await ledger.write(_pid)
    os.kill(silent, signal.SIGSTOP)
    try:
        assert await ledger.write(_pid) != silent
    finally:
        os.kill(silent, signal.SIGCONT)


async def test_whoever_does_not_get_a_turn_is_told_and_does_nothing(ledger: SharedLedger) -> None:
    begun, enough = threading.Event(), threading.Event()
    done: list[str] = []

    def hold(_conn: Connection) -> None:
        begun.set()
        enough.wait(10)

    def write(_conn: Connection) -> None:
        done.append("wrote")

    async with asyncio.TaskGroup() as group:
        group.create_task(ledger.write(hold))
        await until(begun.is_set)
        with pytest.raises(NoTurn, match=r"busy, or did not answer, for 0\.5 s") as raised:
            await ledger.write(write)
        enough.set()
    assert trouble.passing(raised.value)
    assert await ledger.write(_pid) > 0
    assert done == []


async def test_a_server_that_takes_no_writes_any_more_is_left(ledger: SharedLedger) -> None:
    def write_to_a_standby(conn: Connection) -> None:
        conn.execute(text("SET TRANSACTION READ ONLY"))
        conn.execute(text("INSERT INTO meta (key, value) VALUES ('a', 'b')"))

    first = await ledger.write(_pid)
    with pytest.raises(InternalError) as raised:
        await ledger.write(write_to_a_standby)
    assert trouble.told(raised.value).startswith("the database server takes no writes: it is a standby. See that")
    assert await ledger.write(_pid) != first


def test_only_the_stores_own_trouble_is_passing() -> None:
    engine = open_engine(stores.new_database())
    with engine.connect() as conn:
        with pytest.raises(SQLAlchemyError) as raised:
            conn.execute(text("SELECT 1 / 0"))
        assert not trouble.passing(raised.value)
        assert "127.0.0.1" not in trouble.told(raised.value)
    engine.dispose()
