from datetime import UTC, datetime, timedelta, timezone

import pytest

from warnd.model.cap.times import UnreadableTimeError, read_time, write_time


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-07-01T08:00:00+08:00", "2026-07-01 00:00:00"),
        ("2026-07-01T08:00:00-00:00", "2026-07-01 08:00:00"),
        ("2026-07-01T08:00:00Z", "2026-07-01 08:00:00"),
        ("2026-07-01T08:00:00.987654321+05:30", "2026-07-01 02:30:00"),
        (" 2026-07-01T08:00:00-14:00\n", "2026-07-01 22:00:00"),
        ("2026-12-31T24:00:00-00:00", "2027-01-01 00:00:00"),
    ],
)
def test_times_are_read_to_the_second_with_their_zone(text: str, utc: str) -> None:
    assert read_time(text) == (datetime.fromisoformat(utc).replace(tzinfo=UTC), True)


def test_a_time_without_zone_says_so() -> None:
    assert read_time("2026-07-01T08:00:00") == (datetime(2026, 7, 1, 8, tzinfo=UTC), False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-07-01",
        "12026-07-01T08:00:00Z",
        "-2026-07-01T08:00:00Z",
        "2026-02-30T08:00:00Z",
        "2026-07-01T24:00:01Z",
        "0001-01-01T00:00:00+08:00",
        "9999-12-31T24:00:00Z",
        "２０２６-07-01T08:00:00Z",
    ],
)
def test_what_no_calendar_has_is_refused(text: str) -> None:
    with pytest.raises(UnreadableTimeError):
        read_time(text)


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        (UTC, "2026-07-01T08:00:00-00:00"),
        (timezone(timedelta(hours=8)), "2026-07-01T08:00:00+08:00"),
        (timezone(timedelta(hours=-3, minutes=-30)), "2026-07-01T08:00:00-03:30"),
        (timezone(timedelta(seconds=29143)), "2026-06-30T23:54:17-00:00"),
    ],
)
def test_times_are_written_as_cap_1_2_wants_them(zone: timezone, text: str) -> None:
    assert write_time(datetime(2026, 7, 1, 8, 0, 0, 999, tzinfo=zone)) == text


def test_a_time_without_zone_is_never_written() -> None:
    with pytest.raises(ValueError, match="no zone"):
        write_time(datetime(2026, 7, 1))  # noqa: DTZ001 - the mistake under test
