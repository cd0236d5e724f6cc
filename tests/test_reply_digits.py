"""Reply digits: one digit never means two messages on one phone."""

import asyncio

import pytest
from sqlalchemy import Connection

from tests import stores
from warnd.ledger import digits

PHONE = "13800000000"


def _assign(conn: Connection, message_no: int) -> int | None:
    return digits.assign(conn, asking=[(PHONE, message_no)], now_ms=message_no).get((PHONE, message_no))


def _in_a_ledger(story: object) -> None:
    assert callable(story)
    ledger = stores.inline()
    asyncio.run(ledger.write(story))


def test_a_question_keeps_its_digit_while_it_is_open() -> None:
    def story(conn: Connection) -> None:
        assert _assign(conn, 1) == _assign(conn, 1) == 1
        assert _assign(conn, 2) == 2

    _in_a_ledger(story)


def test_a_freed_digit_is_used_again_only_after_the_others() -> None:
    def story(conn: Connection) -> None:
        for message_no in range(1, 10):
            assert _assign(conn, message_no) == message_no
        assert _assign(conn, 10) is None
        digits.close(conn, address=PHONE, message_no=4, now_ms=20)
        digits.close(conn, address=PHONE, message_no=2, now_ms=21)
        assert _assign(conn, 10) == 2
        assert _assign(conn, 11) == 4

    _in_a_ledger(story)


@pytest.mark.parametrize("opened", [1, 3, 9])
def test_asking_again_after_an_answer_never_takes_a_digit_that_means_something_else_by_now(opened: int) -> None:
    def story(conn: Connection) -> None:
        first = _assign(conn, 1)
        digits.close(conn, address=PHONE, message_no=1, now_ms=2)
        others = {_assign(conn, message_no) for message_no in range(2, 2 + opened)}
        again = _assign(conn, 1)
        assert first == 1
        assert again not in others
        assert (again is None) == (opened == 9)
        for message_no in range(2, 2 + opened):
            digit = _assign(conn, message_no)
            assert digits.meant(conn, address=PHONE, digit=digit) == message_no

    _in_a_ledger(story)
