"""`explain` shows every try and every proof of one recipient, side by side."""

from collections.abc import Iterator

import pytest

from tests.fakes.api import FakeApi, fake_api
from tests.fakes.command import run

ATTEMPT = {
    "number": 1,
    "state": "accepted",
    "repeat": False,
    "parts": 2,
    "submitted_at": "08:00:01Z",
    "reason": None,
    "sender": "unicom",
}
LEG = {
    "channel": "sms",
    "address_masked": "+99910*****21",
    "state": "waiting",
    "due_at": "08:01:40Z",
    "attempts": [ATTEMPT],
}
FOUND = {
    "warning": "w1",
    "asked": "officer-1",
    "recipient": {
        "id": "officer-1",
        "kind": "person",
        "name": "赵安",
        "region": "990101101201",
        "lang": "zh",
        "phone_masked": "+99910*****21",
        "email_masked": None,
        "seats": ["information_officer@990101101201"],
    },
    "deliveries": [
        {
            "purpose": "warning",
            "state": "open",
            "evidence": "delivered",
            "proof": "acknowledged",
            "due_by": "08:05:00Z",
            "breached_at": None,
            "legs": [LEG],
        }
    ],
    "receipts": [
        {
            "channel": "sms",
            "kind": "report",
            "evidence": "delivered",
            "failed": False,
            "part": 1,
            "parts": 2,
            "received_at": "08:00:03Z",
        }
    ],
    "publications": [],
    "playbacks": [],
}


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with fake_api() as served:
        yield served


def test_every_try_and_every_proof_is_shown(api: FakeApi) -> None:
    api.answer("GET", "/api/v1/warnings/w1/explain", FOUND)
    ran = run("explain", "w1", "officer-1", WARND_URL=api.url)
    assert ran.code == 0
    assert api.asked[0].query == {"recipient": "officer-1"}
    for part in (
        "赵安",
        "information_officer@990101101201",
        "open, evidence delivered, demanded acknowledged by 08:05:00Z",
        "sms to +99910*****21: waiting, next at 08:01:40Z",
        "try 1 at 08:00:01Z: accepted by unicom",
        "sms report part 1 of 2: delivered",
    ):
        assert part in ran.out


def test_a_loudspeakers_own_word_is_shown(api: FakeApi) -> None:
    play = {
        "stage": "failed",
        "pass_done": 0,
        "played_ms": 0,
        "amplifier": "fault",
        "reason": "amplifier",
        "received_at": "08:00:09Z",
    }
    published = {"channel": "mqtt", "target": "990101000000", "legs": [LEG | {"address_masked": "region:990101000000"}]}
    api.answer(
        "GET",
        "/api/v1/warnings/w1/explain",
        FOUND | {"deliveries": [], "publications": [published], "playbacks": [play]},
    )
    ran = run("explain", "w1", "speaker-1", WARND_URL=api.url)
    assert ran.code == 0
    assert "published by mqtt for 990101000000" in ran.out
    assert "loudspeaker failed, pass 0, 0 ms, amplifier fault (amplifier)" in ran.out


def test_nobody_and_nothing_is_exit_1(api: FakeApi) -> None:
    api.answer("GET", "/api/v1/warnings/w1/explain", FOUND | {"recipient": None, "deliveries": [], "receipts": []})
    ran = run("explain", "w1", "nobody", WARND_URL=api.url)
    assert ran.code == 1
    assert "Nobody with the id officer-1" in ran.out
    assert run("explain", "w1", "nobody", "--json", WARND_URL=api.url).code == 1


@pytest.mark.parametrize(
    ("obliged", "told"),
    [(True, "told all the same because of their duty (information_officer@990101101201)"), (False, "left alone since")],
)
def test_who_asked_for_no_more_messages_is_shown_with_what_followed(api: FakeApi, obliged: bool, told: str) -> None:  # noqa: FBT001 - a case
    asked = {"channel": "sms", "address_masked": "+99910*****21", "since": "2026-11-20T08:00:00Z", "obliged": obliged}
    api.answer("GET", "/api/v1/warnings/w1/explain", FOUND | {"opted_out": [asked]})
    ran = run("explain", "w1", "officer-1", WARND_URL=api.url)
    assert f"asked for no more sms at +99910*****21 on 2026-11-20T08:00:00Z; {told}" in ran.out
