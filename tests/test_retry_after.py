"""How long a server asks to be left in peace, in every form that servers write it, as every channel over HTTP reads it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.retry_after import LONGEST_S, retry_after_s

NOW = datetime(2026, 7, 3, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "wait_s"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("7", 7.0),
        (" 120 ", 120.0),
        ("99999999999", 3600.0),
        ("-5", None),
        ("１２", None),
        ("soon", None),
        ("Fri, 03 Jul 2026 07:30:30 GMT", 30.0),
        ("Fri, 03 Jul 2026 07:30:30 -0000", 30.0),
        ("Fri, 03 Jul 2026 15:30:30 +0800", 30.0),
        ("Fri, 03 Jul 2026 07:30:30 +99999999999999", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 3600.0),
        ("Fri, 03 Jul 2026 07:00:00 GMT", 0.0),
        ("Fri, 03 Jul 2099 07:00:00 GMT", 3600.0),
    ],
)
def test_both_forms_are_read_and_nothing_else(told: str | None, wait_s: float | None) -> None:
    assert retry_after_s(told, now=NOW) == wait_s


@given(st.text() | st.from_regex(r"Fri, \d{2} Jul \d{1,5} \d{2}:\d{2}:\d{2} [+-]\d{4}", fullmatch=True))
def test_no_header_breaks_it_or_waits_longer_than_warnings_live(told: str) -> None:
    wait_s = retry_after_s(told, now=NOW)
    assert wait_s is None or 0 <= wait_s <= LONGEST_S
