"""`submit`, `preview` and the decisions: the daemon's answer becomes words, reasons and an exit code."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.api import FakeApi, fake_api
from tests.fakes.command import run

WARNING = {"id": "w1", "level": "red", "event": "洪水", "status": "Actual", "state": "dispatching", "reasons": []}
HOLD = {
    "code": "level_unknown",
    "element": "info[1]/severity",
    "cause": "severity is Unknown",
    "fix": "add the parameter warnd:level",
    "verdict": "hold",
}


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with fake_api() as served:
        yield served


@pytest.fixture
def cap(tmp_path: Path) -> str:
    path = tmp_path / "flood.xml"
    path.write_bytes("<alert>洪水</alert>".encode())
    return str(path)


def test_submit_hands_over_the_bytes_of_the_file(api: FakeApi, cap: str) -> None:
    api.answer("POST", "/api/v1/warnings", WARNING, status=201)
    ran = run("submit", cap, WARND_URL=api.url, WARND_TOKEN="t")
    assert ran.code == 0
    assert api.asked[0].body == Path(cap).read_bytes()
    assert api.asked[0].content_type == "application/cap+xml"
    assert "red 洪水 (w1) is dispatching" in ran.out


@pytest.mark.parametrize(
    ("status", "document", "code"),
    [
        (201, WARNING, 0),
        (201, WARNING | {"state": "in_review"}, 0),
        (200, WARNING | {"state": "completed"}, 0),
        (200, WARNING | {"state": "held", "reasons": [HOLD]}, 1),
        (202, WARNING | {"state": "held", "reasons": [HOLD]}, 1),
        (400, {"detail": "not XML: line 1", "reasons": []}, 1),
        (403, {"detail": "this token may not submit", "reasons": []}, 1),
        (409, {"detail": "other content under a known key", "id": "w9", "reasons": []}, 1),
        (413, {"detail": "larger than 2 MiB", "reasons": []}, 1),
        (422, {"detail": "refused", "reasons": [HOLD | {"verdict": "refuse"}]}, 1),
        (503, {"detail": "the ledger does not answer", "reasons": []}, 3),
    ],
)
def test_submit_exits_with_1_when_held_or_refused(
    api: FakeApi, cap: str, status: int, document: dict[str, object], code: int
) -> None:
    api.answer("POST", "/api/v1/warnings", document, status=status)
    assert run("submit", cap, WARND_URL=api.url).code == code
    assert run("submit", "--json", cap, WARND_URL=api.url).code == code


def test_reasons_say_what_where_and_what_to_do(api: FakeApi, cap: str) -> None:
    api.answer("POST", "/api/v1/warnings", WARNING | {"state": "held", "reasons": [HOLD]}, status=202)
    ran = run("submit", cap, WARND_URL=api.url)
    for part in ("severity is Unknown", "info[1]/severity", "add the parameter warnd:level", "warnd approve w1"):
        assert part in ran.err


def test_a_dash_reads_standard_input(api: FakeApi) -> None:
    api.answer("POST", "/api/v1/warnings", WARNING, status=201)
    command = [sys.executable, "-m", "warnd", "submit", "-"]
    env = {**os.environ, "WARND_URL": api.url}
    done = subprocess.run(command, input=b"<alert/>", env=env, capture_output=True, check=False, timeout=30)
    assert done.returncode == 0
    assert api.asked[0].body == b"<alert/>"


def test_a_file_that_cannot_be_opened_is_exit_3(tmp_path: Path) -> None:
    ran = run("submit", str(tmp_path / "none.xml"))
    assert ran.code == 3
    assert "none.xml" in ran.err


@pytest.mark.parametrize(
    ("words", "path", "body"),
    [
        (("approve", "w1"), "/api/v1/warnings/w1/approve", {}),
        (("reject", "w1", "--reason", "wrong place"), "/api/v1/warnings/w1/reject", {"reason": "wrong place"}),
        (
            ("cancel", "w1", "--lift", "--reason", "over"),
            "/api/v1/warnings/w1/cancel",
            {"kind": "lift", "reason": "over"},
        ),
        (
            ("cancel", "w1", "--retract", "--reason", "误发"),
            "/api/v1/warnings/w1/cancel",
            {"kind": "retract", "reason": "误发"},
        ),
    ],
)
def test_decisions_are_posted_as_the_contract_says(
    api: FakeApi, words: tuple[str, ...], path: str, body: dict[str, str]
) -> None:
    api.answer("POST", path, WARNING)
    ran = run(*words, WARND_URL=api.url)
    assert ran.code == 0
    assert json.loads(api.asked[0].body) == body


@pytest.mark.parametrize(
    "words",
    [
        ("cancel", "w1", "--reason", "over"),
        ("cancel", "w1", "--lift", "--retract", "--reason", "over"),
        ("cancel", "w1", "--lift"),
        ("cancel", "w1", "--lift", "--reason", "  "),
        ("reject", "w1"),
    ],
)
def test_a_decision_half_said_is_usage(api: FakeApi, words: tuple[str, ...]) -> None:
    assert run(*words, WARND_URL=api.url).code == 2
    assert api.asked == []


def test_a_decision_in_the_wrong_state_is_exit_1(api: FakeApi) -> None:
    api.answer("POST", "/api/v1/warnings/w1/approve", {"detail": "it is cancelled already"}, status=409)
    ran = run("approve", "w1", WARND_URL=api.url)
    assert ran.code == 1
    assert "cancelled already" in ran.err


PREVIEW = {
    "level": "red",
    "villages": {"count": 2, "list": []},
    "people": {"information_officer": 2, "county_leader": 1},
    "terminals": 1,
    "households": 50,
    "villages_without_live_path": [{"code": "990101101201", "name": "石桥村", "reason": "no_terminal"}],
    "outside": ["110101"],
    "missing_languages": ["en"],
    "texts": [{"channel": "sms", "lang": "zh", "text": "【县】红色洪水", "segments": 2}],
    "segments_total": 106,
    "reasons": [],
    "unknown_geocodes": [["SAME", "006015"]],
    "only_by_geocode": [],
    "only_by_polygon": [],
}


def test_preview_names_people_villages_and_doubts(api: FakeApi, cap: str) -> None:
    api.answer("POST", "/api/v1/warnings/preview", PREVIEW)
    ran = run("preview", cap, WARND_URL=api.url)
    assert ran.code == 0
    for part in ("2 information_officer", "石桥村: no_terminal", "110101", "SAME=006015", "【县】红色洪水", "106"):
        assert part in ran.out


def test_preview_of_what_would_be_held_is_exit_1(api: FakeApi, cap: str) -> None:
    api.answer("POST", "/api/v1/warnings/preview", PREVIEW | {"reasons": [HOLD]})
    assert run("preview", cap, WARND_URL=api.url).code == 1
    assert run("preview", cap, "--json", WARND_URL=api.url).code == 1


def test_preview_names_people_with_a_duty_who_asked_for_no_more(api: FakeApi, cap: str) -> None:
    asked = {
        "recipient": "officer-1",
        "channel": "sms",
        "address_masked": "+99910*****21",
        "since": "2026-11-20T08:00:00Z",
    }
    api.answer("POST", "/api/v1/warnings/preview", PREVIEW | {"opted_out": [asked]})
    ran = run("preview", cap, WARND_URL=api.url)
    assert "Told all the same: officer-1, who asked for no more sms at +99910*****21 on 2026-11-20T08:00:00Z" in ran.out
