"""`status` and `coverage`: evidence side by side, villages by name, and exit codes a script can rely on."""

from collections.abc import Iterator

import pytest

from tests.fakes.api import FakeApi, fake_api
from tests.fakes.command import run

READY = {"status": "ready", "problems": []}
WARNING = {
    "id": "w1",
    "level": "red",
    "event": "洪水",
    "status": "Actual",
    "state": "dispatching",
    "headline": "清溪河洪水红色预警",
    "sender": "flood@county.example",
    "sent": "2026-11-21T08:00:00Z",
    "expires": "2026-11-21T14:00:00Z",
    "totals": {
        "deliveries": {"open": 11, "satisfied": 22, "exhausted": 3, "expired": 0, "withdrawn": 0},
        "evidence": {"none": 4, "accepted": 5, "delivered": 6, "presented": 7, "acknowledged": 14},
        "villages": {"targeted": 120, "confirmed": 108, "confirmed_late": 2, "unconfirmed": 12},
        "planned": True,
    },
}
SILENT = {
    "code": "990101101201",
    "name": "石桥村",
    "reason": "offline",
    "since": "2026-11-21T07:00:00Z",
    "next_step": None,
    "next_at": None,
    "detail": "last seen 07:00",
}
COVERAGE = {
    "warning": "w1",
    "at": "2026-11-21T08:02:00Z",
    "regions": [
        {
            "code": "990101101000",
            "name": "青山镇",
            "tier": "township",
            "villages_targeted": 15,
            "villages_confirmed": 14,
        }
    ],
    "unconfirmed": [SILENT],
    "confirmed_at": {"p50": 31, "p90": None, "p100": None},
    "cursor": None,
}


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with fake_api() as served:
        served.answer("GET", "/readyz", READY)
        served.answer("GET", "/api/v1/warnings/w1", WARNING)
        yield served


def test_evidence_stands_side_by_side_and_is_never_added_up(api: FakeApi) -> None:
    ran = run("status", "w1", WARND_URL=api.url)
    assert ran.code == 0
    assert "none 4 | accepted 5 | delivered 6 | presented 7 | acknowledged 14" in ran.out
    assert "120 targeted | 108 confirmed (2 of them late) | 12 unconfirmed" in ran.out
    assert "36" not in ran.out
    assert "32" not in ran.out


def test_what_keeps_warnings_from_leaving_stands_first(api: FakeApi) -> None:
    api.answers.pop(("GET", "/readyz"))
    problem = "mqtt: not connected to the MQTT broker at 127.0.0.1:1883; start it"
    api.answer("GET", "/readyz", {"ready": False, "problems": [problem]}, status=503)
    ran = run("status", "w1", WARND_URL=api.url)
    assert ran.code == 0
    assert ran.out.splitlines()[0] == f"NOT WORKING: {problem}"


def test_what_fails_although_warnings_leave_stands_first_too_but_is_no_standstill(api: FakeApi) -> None:
    api.answers.pop(("GET", "/readyz"))
    trouble = "sms: Texts leave by smpp alone; if that fails, none does."
    api.answer("GET", "/readyz", {"ready": True, "problems": [], "degraded": [trouble]})
    ran = run("status", "w1", WARND_URL=api.url)
    assert ran.out.splitlines()[0] == f"DEGRADED: {trouble}"
    assert "NOT WORKING" not in ran.out


def test_status_without_an_id_lists_the_warnings(api: FakeApi) -> None:
    api.answer(
        "GET", "/api/v1/warnings", {"warnings": [WARNING, WARNING | {"id": "w2", "status": "Exercise"}], "cursor": None}
    )
    ran = run("status", WARND_URL=api.url)
    assert ran.code == 0
    assert "red 洪水 (w1) dispatching" in ran.out
    assert "[Exercise] red 洪水 (w2)" in ran.out


def test_json_is_the_document_unchanged(api: FakeApi) -> None:
    text = '{"warnings": [ ],\n   "cursor":null, "added_later": 1.50}'
    api.answer("GET", "/api/v1/warnings", text)
    assert run("status", "--json", WARND_URL=api.url).out == text + "\n"


def test_watching_and_json_together_is_usage(api: FakeApi) -> None:
    assert run("status", "--watch", "--json", WARND_URL=api.url).code == 2


def test_an_unknown_warning_is_exit_1(api: FakeApi) -> None:
    ran = run("status", "w404", WARND_URL=api.url)
    assert ran.code == 1
    assert "nothing at /api/v1/warnings/w404" in ran.err


def test_coverage_names_each_silent_village_with_reason_since_and_detail(api: FakeApi) -> None:
    api.answer("GET", "/api/v1/warnings/w1/coverage", COVERAGE)
    ran = run("coverage", "w1", WARND_URL=api.url)
    assert ran.code == 1
    assert "青山镇: 14 of 15 villages confirmed" in ran.out
    assert "石桥村: offline (last seen 07:00) since 2026-11-21T07:00:00Z" in ran.out
    assert "50 % after 31 s, 90 % not yet" in ran.out


def test_coverage_reads_every_page(api: FakeApi) -> None:
    last = COVERAGE | {"unconfirmed": [SILENT | {"name": "柳树村"}]}
    api.answer("GET", "/api/v1/warnings/w1/coverage", COVERAGE, COVERAGE | {"cursor": "c2"}, last)
    ran = run("coverage", "w1", "--unconfirmed", WARND_URL=api.url)
    assert ran.code == 1
    assert "石桥村" in ran.out
    assert "柳树村" in ran.out
    assert "青山镇" not in ran.out
    assert api.asked[-1].query["cursor"] == "c2"


def test_coverage_with_every_village_confirmed_is_exit_0(api: FakeApi) -> None:
    api.answer("GET", "/api/v1/warnings/w1/coverage", COVERAGE | {"unconfirmed": []})
    assert run("coverage", "w1", "--unconfirmed", WARND_URL=api.url).code == 0
    assert run("coverage", "w1", "--json", WARND_URL=api.url).code == 0


def test_no_silent_village_proves_nothing_while_planning_goes_on(api: FakeApi) -> None:
    unplanned = WARNING | {"totals": {"planned": False}}
    api.answers.clear()
    api.answer("GET", "/api/v1/warnings/w1", unplanned)
    api.answer("GET", "/api/v1/warnings/w1/coverage", COVERAGE | {"unconfirmed": []})
    ran = run("coverage", "w1", WARND_URL=api.url)
    assert ran.code == 1
    assert "Planning is not finished" in ran.out


def test_coverage_json_hands_page_parameters_on(api: FakeApi) -> None:
    api.answer("GET", "/api/v1/warnings/w1/coverage", COVERAGE)
    ran = run(
        "coverage", "w1", "--json", "--parent", "990101101000", "--limit", "5", "--cursor", "x", WARND_URL=api.url
    )
    assert ran.code == 1
    assert api.asked[-1].query == {"parent": "990101101000", "limit": "5", "cursor": "x"}


def test_channels_stand_side_by_side_each_by_what_came_by_it(api: FakeApi) -> None:
    came = {"accepted": 1, "delivered": 2, "presented": 0, "acknowledged": 3}
    totals = {"channels": {"sms": came, "email": came | {"delivered": 0}, "apprise": came}, "planned": True}
    api.answer("GET", "/api/v1/warnings/w2", WARNING | {"id": "w2", "totals": totals})
    lines = run("status", "w2", WARND_URL=api.url).out.splitlines()
    told = [line for line in lines if line.startswith("  by ")]
    assert told == [
        "  by apprise accepted 1 | delivered 2 | presented 0 | acknowledged 3",
        "  by email  accepted 1 | delivered 0 | presented 0 | acknowledged 3",
        "  by sms    accepted 1 | delivered 2 | presented 0 | acknowledged 3",
    ]


def test_it_says_when_what_waits_will_be_through_and_that_nobody_can_tell_where_a_lane_stands(api: FakeApi) -> None:
    moving = {"due": 224, "done_at": "2026-11-21T08:14:00Z", "stuck": []}
    standing = {"due": 224, "done_at": None, "stuck": ["sms"]}
    api.answers.pop(("GET", "/api/v1/warnings/w1"))
    api.answer("GET", "/api/v1/warnings/w1", WARNING | {"outlook": moving}, WARNING | {"outlook": standing}, WARNING)
    assert "To go out   224 tries due; done about 2026-11-21T08:14:00Z" in run("status", "w1", WARND_URL=api.url).out
    stands = run("status", "w1", WARND_URL=api.url).out
    assert "224 tries due; nobody can tell when it will be done: sms stands" in stands
    assert "To go out" not in run("status", "w1", WARND_URL=api.url).out


def test_a_cancel_names_whom_it_has_not_reached(api: FakeApi) -> None:
    api.answer("GET", "/api/v1/warnings/c1", WARNING | {"id": "c1", "msg_type": "Cancel", "cancel_kind": "retract"})
    nobody = {"deliveries": [], "cursor": "more"}
    officer = {"recipient": "officer-1", "evidence": "none"}
    leader = {"recipient": "leader-2", "evidence": "accepted"}
    exhausted = {"deliveries": [officer, leader], "cursor": None}
    api.answer("GET", "/api/v1/warnings/c1/deliveries", nobody, exhausted, {"deliveries": [], "cursor": None})
    ran = run("status", "c1", WARND_URL=api.url)
    assert ran.code == 0
    assert "NOT REACHED officer-1, leader-2 (only accepted)" in ran.out
    asked = [one.query for one in api.asked if one.path.endswith("/deliveries")]
    assert [one["state"] for one in asked] == ["exhausted", "exhausted", "open"]
    assert asked[1]["cursor"] == "more"
