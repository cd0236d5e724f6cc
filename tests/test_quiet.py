"""While no message is open nobody looks every second, and whatever opens one ends that within a second."""

from pathlib import Path

import pytest

from tests.fakes.clock import HandClock
from tests.fakes.rows import Rows
from tests.stores import store_url
from warnd.bell import Bell
from warnd.dispatch.quiet import Quiet
from warnd.ledger.store import InlineLedger, open_inline

BUSY_S = 1.0


@pytest.fixture
def ledger(tmp_path: Path) -> InlineLedger:
    return open_inline(store_url(tmp_path))


async def test_nobody_rests_before_the_first_look(ledger: InlineLedger) -> None:
    quiet = Quiet(ledger, HandClock(), bell=Bell())
    assert quiet.pause_s(BUSY_S) == BUSY_S
    await ledger.close()


async def test_whoever_waits_rests_while_nothing_is_open_and_until_the_bell(ledger: InlineLedger) -> None:
    bell = Bell()
    quiet = Quiet(ledger, HandClock(), bell=bell)
    await quiet.look()
    assert quiet.pause_s(BUSY_S) > BUSY_S
    bell.ring()
    assert quiet.pause_s(BUSY_S) == BUSY_S
    await ledger.close()


async def test_nobody_rests_while_a_message_is_open(ledger: InlineLedger) -> None:
    await ledger.write(lambda conn: Rows(conn).message("red"))
    quiet = Quiet(ledger, HandClock(), bell=Bell())
    await quiet.look()
    assert quiet.pause_s(BUSY_S) == BUSY_S
    await ledger.close()


async def test_what_another_program_opens_rings_at_the_next_look(ledger: InlineLedger) -> None:
    bell = Bell()
    quiet = Quiet(ledger, HandClock(), bell=bell)
    await quiet.look()
    await ledger.write(lambda conn: Rows(conn).message("red"))
    rings = bell.rings
    await quiet.look()
    assert (bell.rings - rings, quiet.pause_s(BUSY_S)) == (1, BUSY_S)
    await ledger.close()


async def test_the_end_of_a_message_is_seen_within_seconds(ledger: InlineLedger) -> None:
    clock = HandClock()
    await ledger.write(lambda conn: Rows(conn).message("red", closed_as="expired"))
    quiet = Quiet(ledger, clock, bell=(bell := Bell()))
    await quiet.look()
    bell.ring()  # Something was told; nothing of it is open.
    clock.advance(5)
    await quiet.look()
    assert quiet.pause_s(BUSY_S) > BUSY_S
    await ledger.close()
