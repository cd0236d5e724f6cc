"""The HTTP contract about warnings (DESIGN §10, §13), knocked at as a client does, with the real desk behind it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests import stores
from tests.fakes.clock import START
from tests.fakes.web_centre import CAP_TYPE, EN, FLOOD, ZH, Centre, after, centre, flood
from warnd.model import cap

PROBLEM = "application/problem+json"


@pytest.fixture
async def built(tmp_path: Path) -> AsyncIterator[Centre]:
    async with centre(tmp_path) as made:
        yield made


def test_the_documents_of_these_tests_are_good() -> None:
    assert cap.parse(flood()) == replace(FLOOD, identifier="flood-1")


async def test_a_release_tokens_warning_goes_out_at_once(built: Centre) -> None:
    async with built.caller("release") as client:
        answered = await client.post("/api/v1/warnings", content=flood(), headers=CAP_TYPE)
        document = answered.json()
        assert answered.status_code == 201
        assert answered.headers["location"] == f"/api/v1/warnings/{document['id']}"
        assert (await client.get(answered.headers["location"])).json() == document
    assert document["state"] == "dispatching"
    assert document["level"] == "red"
    assert document["expires"] == "2026-07-03T13:30:00Z"
    keys = "id chain_id sender identifier sent status msg_type level event headline state reasons expires references approvals totals"
    assert set(keys.split()) <= document.keys()
    assert document["totals"] == {
        "deliveries": {"open": 0, "satisfied": 0, "exhausted": 0, "expired": 0, "withdrawn": 0},
        "evidence": {"none": 0, "accepted": 0, "delivered": 0, "presented": 0, "acknowledged": 0},
        "villages": {"targeted": 0, "confirmed": 0, "confirmed_late": 0, "unconfirmed": 0},
        "planned": False,
        "channels": {},
        "segments": {},
    }


async def test_a_submit_tokens_warning_waits_in_review_until_it_is_approved(built: Centre) -> None:
    async with built.caller("submit") as client, built.caller("release") as chief:
        answered = await client.post("/api/v1/warnings", content=flood(), headers=CAP_TYPE)
        assert (answered.status_code, answered.json()["state"]) == (201, "in_review")
        where = answered.headers["location"]
        assert (await client.post(f"{where}/approve")).status_code == 403
        approved = await chief.post(f"{where}/approve")
        assert (approved.status_code, approved.json()["state"]) == (200, "dispatching")
        assert [each["action"] for each in approved.json()["approvals"]] == ["release"]
        again = await chief.post(f"{where}/approve")
        assert (again.status_code, again.headers["content-type"]) == (409, PROBLEM)
        assert "dispatching" in again.json()["detail"]


async def test_the_same_again_is_known_and_other_content_is_quarantined(built: Centre) -> None:
    async with built.caller() as client:
        first = await client.post("/api/v1/warnings", content=flood(), headers=CAP_TYPE)
        spaced = flood().replace(b"<info>", b"\n\n   <info>")
        again = await client.post("/api/v1/warnings", content=spaced, headers=CAP_TYPE)
        assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
        changed = flood(infos=(replace(ZH, headline="别的"), EN))
        other = await client.post("/api/v1/warnings", content=changed, headers=CAP_TYPE)
        assert (other.status_code, other.headers["content-type"]) == (409, PROBLEM)
        document = other.json()
        assert document["id"] == document["warning"]["id"] != first.json()["id"]
        assert document["warning"]["state"] == "quarantined"
        assert [each["verdict"] for each in document["reasons"]]
        listed = (await client.get("/api/v1/warnings", params={"state": "quarantined"})).json()
        assert [each["id"] for each in listed["warnings"]] == [document["id"]]


async def test_an_unknown_level_is_held_with_its_reasons_and_an_approval_cannot_guess_it(built: Centre) -> None:
    document = flood(infos=tuple(replace(info, severity="Unknown") for info in (ZH, EN)))
    async with built.caller() as client:
        answered = await client.post("/api/v1/warnings", content=document, headers=CAP_TYPE)
        held = answered.json()
        assert (answered.status_code, held["state"], held["level"]) == (202, "held", None)
        assert {"code", "element", "cause", "fix", "verdict"} == held["reasons"][0].keys()
        assert "hold" in {each["verdict"] for each in held["reasons"]}
        approved = await client.post(f"/api/v1/warnings/{held['id']}/approve")
        assert (approved.status_code, approved.json()["id"]) == (422, held["id"])
        assert approved.json()["reasons"]
        assert (await client.get(f"/api/v1/warnings/{held['id']}")).json()["state"] == "held"


async def test_a_warning_that_waits_can_be_rejected_once_with_a_reason(built: Centre) -> None:
    async with built.caller("submit") as client, built.caller("release") as chief:
        where = (await client.post("/api/v1/warnings", content=flood(), headers=CAP_TYPE)).headers["location"]
        empty = await chief.post(f"{where}/reject", json={"reason": "  "})
        assert (empty.status_code, empty.json()["reasons"][0]["element"]) == (422, "body/reason")
        rejected = await chief.post(f"{where}/reject", json={"reason": "wrong county"})
        assert (rejected.status_code, rejected.json()["state"]) == (200, "rejected")
        assert (await chief.post(f"{where}/reject", json={"reason": "again"})).status_code == 409


@pytest.mark.parametrize("kind", ["lift", "retract"])
async def test_a_cancel_is_a_warning_of_its_own(built: Centre, kind: str) -> None:
    async with built.caller() as client:
        alert = (await client.post("/api/v1/warnings", content=flood(), headers=CAP_TYPE)).json()
        built.clock.advance(30)
        asked = {"kind": kind, "reason": "the water has gone"}
        answered = await client.post(f"/api/v1/warnings/{alert['id']}/cancel", json=asked)
        document = answered.json()
        assert (answered.status_code, document["msg_type"], document["cancel_kind"]) == (201, "Cancel", kind)
        assert document["id"] != alert["id"]
        assert document["chain_id"] == alert["id"]
        assert [each["identifier"] for each in document["references"]] == ["flood-1"]
        assert (await client.get(f"/api/v1/warnings/{alert['id']}")).json()["state"] == "cancelled"
        assert (await client.post(f"/api/v1/warnings/{alert['id']}/cancel", json=asked)).status_code == 409


@pytest.mark.parametrize(
    "body", [{}, {"kind": "undo", "reason": "x"}, {"kind": "lift"}, {"kind": "lift", "reason": "x", "also": 1}, [], "x"]
)
async def test_a_cancel_that_does_not_say_what_it_is_changes_nothing(built: Centre, body: Any) -> None:
    warning_id = await built.release(flood())
    async with built.caller() as client:
        answered = await client.post(f"/api/v1/warnings/{warning_id}/cancel", json=body)
        assert (answered.status_code, answered.headers["content-type"]) == (422, PROBLEM)
        assert answered.json()["reasons"][0]["code"] == "request_invalid"
        assert (await client.get(f"/api/v1/warnings/{warning_id}")).json()["state"] == "dispatching"


REFUSED = {
    "not XML": (b"hello", 400),
    "empty": (b"", 400),
    "DOCTYPE": (b'<!DOCTYPE a [<!ENTITY x "y">]>' + flood(), 400),
    "truncated": (flood()[:-20], 400),
    "not CAP": (b"<rss><channel/></rss>", 422),
    "CAP without a part": (flood().replace(b"<status>Actual</status>", b""), 422),
    "past": (flood(infos=(replace(ZH, expires=START - timedelta(hours=1)),)), 422),
    "too large": (b"<!--" + b"x" * (2 * 1024 * 1024) + b"-->" + flood(), 413),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_cannot_be_taken_is_told_what_where_and_what_to_do(built: Centre, case: str) -> None:
    document, status = REFUSED[case]
    async with built.caller() as client:
        answered = await client.post("/api/v1/warnings", content=document, headers=CAP_TYPE)
        assert (answered.status_code, answered.headers["content-type"]) == (status, PROBLEM)
        problem = answered.json()
        assert (problem["status"], problem["type"]) == (status, "about:blank")
        assert problem["title"]
        assert problem["detail"]
        if status == 422:
            assert all(set(each) == {"code", "element", "cause", "fix", "verdict"} for each in problem["reasons"])
            assert problem["reasons"]
        assert (await client.get("/api/v1/warnings")).json() == {"warnings": [], "cursor": None}


@pytest.mark.parametrize(
    "media_type", ["application/json", "text/plain", "", "application/cap+xmlx", "multipart/form-data"]
)
async def test_other_content_types_are_415(built: Centre, media_type: str) -> None:
    async with built.caller() as client:
        answered = await client.post("/api/v1/warnings", content=flood(), headers={"Content-Type": media_type})
    assert answered.status_code == 415
    assert "application/cap+xml" in answered.json()["detail"]


@pytest.mark.parametrize(
    "media_type", ["application/xml", "text/xml; charset=utf-8", "APPLICATION/CAP+XML", "application/cap+xml;x=y"]
)
async def test_every_xml_content_type_of_the_contract_is_taken(built: Centre, media_type: str) -> None:
    async with built.caller() as client:
        answered = await client.post("/api/v1/warnings", content=flood(), headers={"Content-Type": media_type})
    assert answered.status_code == 201


async def test_a_body_is_not_read_on_once_it_is_too_large(built: Centre) -> None:
    handed_over = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal handed_over
        while True:
            handed_over += 64 * 1024
            yield b"x" * 64 * 1024

    async with built.caller() as client:
        answered = await client.post("/api/v1/warnings", content=endless(), headers=CAP_TYPE)
        assert answered.status_code == 413
        assert handed_over <= 2 * 1024 * 1024 + 128 * 1024
        promised = {**CAP_TYPE, "Content-Length": str(3 * 1024 * 1024)}
        handed_over = 0
        answered = await client.post("/api/v1/warnings", content=endless(), headers=promised)
        assert (answered.status_code, answered.headers["connection"]) == (413, "close")
        assert handed_over <= 128 * 1024


async def test_a_token_bound_to_a_sender_speaks_for_no_other(built: Centre) -> None:
    async with built.caller(senders=["rain@qinghe.example"]) as client:
        answered = await client.post("/api/v1/warnings", content=flood(), headers=CAP_TYPE)
        assert (answered.status_code, answered.headers["content-type"]) == (403, PROBLEM)
        assert "flood@qinghe.example" in answered.json()["reasons"][0]["cause"]
    async with built.caller(senders=[FLOOD.sender]) as client:
        assert (await client.post("/api/v1/warnings", content=flood(), headers=CAP_TYPE)).status_code == 201


async def test_a_token_bound_to_a_region_warns_nowhere_else_but_reads_everything(built: Centre) -> None:
    async with built.caller(region="990101002000") as client:
        assert (await client.post("/api/v1/warnings", content=flood(), headers=CAP_TYPE)).status_code == 403
        warning_id = await built.release(flood())
        assert (await client.get(f"/api/v1/warnings/{warning_id}")).status_code == 200


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer wrong", "Basic Y2VudHJl", "Bearer " + "x" * 5000])
async def test_nobody_gets_in_without_a_token(built: Centre, authorization: str | None) -> None:
    async with built.visitor(**({"Authorization": authorization} if authorization else {})) as client:
        for method, path in (
            ("GET", "/api/v1/warnings"),
            ("POST", "/api/v1/warnings"),
            ("POST", "/api/v1/warnings/preview"),
            ("GET", "/api/v1/warnings/x/events"),
            ("GET", "/api/v1/terminals"),
            ("GET", "/api/v1/status"),
        ):
            answered = await client.request(
                method, path, content=flood() if method == "POST" else None, headers=CAP_TYPE
            )
            assert (answered.status_code, answered.headers["www-authenticate"]) == (401, "Bearer"), path


async def test_a_read_token_reads_and_does_nothing_else(built: Centre) -> None:
    warning_id = await built.release(flood())
    async with built.caller("read") as client:
        assert (await client.get(f"/api/v1/warnings/{warning_id}")).status_code == 200
        assert (await client.post("/api/v1/warnings", content=flood("f2"), headers=CAP_TYPE)).status_code == 403
        for act, body in (("approve", None), ("reject", {"reason": "x"}), ("cancel", {"kind": "lift", "reason": "x"})):
            answered = await client.post(f"/api/v1/warnings/{warning_id}/{act}", json=body)
            assert answered.status_code == 403, act


async def test_unknown_ids_are_404_at_every_door(built: Centre) -> None:
    async with built.caller() as client:
        for path in ("", "/coverage", "/deliveries", "/explain?recipient=p", "/events"):
            answered = await client.get(f"/api/v1/warnings/nothing{path}")
            assert (answered.status_code, answered.headers["content-type"]) == (404, PROBLEM), path
        for act, body in (("approve", None), ("reject", {"reason": "x"}), ("cancel", {"kind": "lift", "reason": "x"})):
            assert (await client.post(f"/api/v1/warnings/nothing/{act}", json=body)).status_code == 404, act


async def test_a_preview_says_who_would_hear_and_keeps_nothing(built: Centre) -> None:
    village = "990101001001"
    seats = (("information_officer", village),)
    await built.rows(lambda rows: rows.recipient("officer", village, seats=seats, phone="+8613812345678"))
    async with built.caller("submit") as client:
        answered = await client.post("/api/v1/warnings/preview", content=flood(), headers=CAP_TYPE)
        seen = answered.json()
        assert answered.status_code == 200
        assert (seen["level"], seen["villages"]["count"], seen["terminals"]) == ("red", 3, 0)
        assert seen["villages"]["list"] == [f"99010100100{n}" for n in (1, 2, 3)]
        keys = (
            "people households villages_without_live_path outside missing_languages texts segments_total reasons "
            "unknown_geocodes only_by_geocode only_by_polygon"
        )
        assert set(keys.split()) <= seen.keys()
        for document, status in ((b"hello", 400), (b"<rss/>", 422)):
            refused = await client.post("/api/v1/warnings/preview", content=document, headers=CAP_TYPE)
            assert (refused.status_code, refused.headers["content-type"]) == (status, PROBLEM)
        assert (await client.get("/api/v1/warnings")).json()["warnings"] == []


async def test_listings_are_bounded_and_go_on_by_cursor(built: Centre) -> None:
    ids = [await built.release(flood(f"flood-{number}")) for number in range(5)]
    async with built.caller("read") as client:
        first = (await client.get("/api/v1/warnings", params={"limit": 3})).json()
        rest = (await client.get("/api/v1/warnings", params={"limit": 3, "cursor": first["cursor"]})).json()
        assert [each["id"] for each in (*first["warnings"], *rest["warnings"])] == ids[::-1]
        assert rest["cursor"] is None
        found = await client.get("/api/v1/warnings", params={"sender": FLOOD.sender, "identifier": "flood-3"})
        assert [each["id"] for each in found.json()["warnings"]] == [ids[3]]
        for bad in ({"limit": 0}, {"limit": 1001}, {"limit": "x"}, {"cursor": "x"}, {"state": "gone"}):
            answered = await client.get("/api/v1/warnings", params=bad)
            assert (answered.status_code, answered.headers["content-type"]) == (422, PROBLEM), bad


async def test_coverage_and_deliveries_have_the_contracts_keys(built: Centre) -> None:
    warning_id = await built.release(flood())
    async with built.caller("read") as client:
        seen = (await client.get(f"/api/v1/warnings/{warning_id}/coverage")).json()
        assert set(seen) == {"warning", "at", "regions", "unconfirmed", "confirmed_at", "cursor"}
        assert seen["warning"] == warning_id
        assert seen["at"] == "2026-07-03T07:30:01Z"
        assert [each["code"] for each in seen["regions"]] == ["990101001000", "990101002000"]
        assert seen["confirmed_at"] == {"p50": None, "p90": None, "p100": None}
        listed = (await client.get(f"/api/v1/warnings/{warning_id}/deliveries")).json()
        assert listed == {"deliveries": [], "cursor": None}
        bad = await client.get(f"/api/v1/warnings/{warning_id}/coverage", params={"parent": "nowhere"})
        assert (bad.status_code, "nowhere" in bad.json()["detail"]) == (422, True)


async def test_terminals_are_listed_as_they_last_spoke(built: Centre) -> None:
    def two(rows: Any) -> None:
        rows.terminal("t1", "990101001001", volume=80, clock="synced", amplifier="ok")
        rows.terminal("t2", "990101001002", online=None)

    await built.rows(two)
    async with built.caller("read") as client:
        listed = (await client.get("/api/v1/terminals")).json()
    assert listed["cursor"] is None
    assert [(each["id"], each["online"], each["last_seen"]) for each in listed["terminals"]] == [
        ("t1", True, "2026-07-03T07:30:00Z"),
        ("t2", False, None),
    ]
    assert {"id", "region", "online", "last_seen", "clock", "amplifier", "volume"} <= listed["terminals"][0].keys()


async def test_an_update_supersedes_and_both_stay_readable(built: Centre) -> None:
    first = await built.release(flood())
    second = await built.release(after("flood-2", "Update", "flood-1"))
    async with built.caller("read") as client:
        older, newer = [(await client.get(f"/api/v1/warnings/{each}")).json() for each in (first, second)]
    assert (older["state"], newer["state"]) == ("superseded", "dispatching")
    assert newer["chain_id"] == first


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/", 404),
        ("GET", "/api/v1/nothing", 404),
        ("DELETE", "/api/v1/warnings", 405),
        ("GET", "/api/v1/warnings/x/approve", 405),
        ("POST", "/api/v1/terminals", 405),
    ],
)
async def test_every_error_of_the_api_is_a_problem_document(built: Centre, method: str, path: str, status: int) -> None:
    async with built.caller() as client:
        answered = await client.request(method, path)
    assert (answered.status_code, answered.headers["content-type"]) == (status, PROBLEM)
    assert answered.json()["detail"]


async def test_a_failure_inside_is_a_problem_document_without_its_innards(built: Centre) -> None:
    async with built.caller("read") as client:
        warning_id = await built.release(flood())
        await built.rows(lambda rows: rows.spoil("warning", reasons="{spoilt"))
        with capture_logs() as logged:
            answered = await client.get(f"/api/v1/warnings/{warning_id}")
    assert (answered.status_code, answered.headers["content-type"]) == (500, PROBLEM)
    assert "JSON" not in answered.text
    assert "spoilt" not in answered.text
    assert answered.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'self'" in answered.headers["Content-Security-Policy"]
    assert [each["event"] for each in logged] == ["request_failed"]


@stores.only("sqlite", "gives one file no more room")
async def test_a_store_that_is_full_takes_nothing_and_says_so(built: Centre) -> None:
    await built.ledger.write(lambda conn: conn.exec_driver_sql("PRAGMA max_page_count=1").close())
    many = flood(infos=(replace(FLOOD.infos[0], description="水" * 50_000), *FLOOD.infos[1:]))
    async with built.caller() as client:
        answered = await client.post("/api/v1/warnings", content=many, headers=CAP_TYPE)
        assert (answered.status_code, answered.headers["content-type"]) == (503, PROBLEM)
        assert "database or disk is full" in answered.json()["detail"]
        await built.ledger.write(lambda conn: conn.exec_driver_sql("PRAGMA max_page_count=100000").close())
        assert (await client.post("/api/v1/warnings", content=many, headers=CAP_TYPE)).status_code == 201


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    path=st.sampled_from(["", "/preview", "/x/cancel", "/x/reject", "/x/approve"]),
    body=st.binary(max_size=300),
    kind=st.sampled_from(["application/cap+xml", "application/json", "text/plain", "", "\x00"]),
)
async def test_rubbish_never_breaks_the_door(built: Centre, path: str, body: bytes, kind: str) -> None:
    async with built.visitor(Authorization="Bearer centre") as client:
        headers = {"Content-Type": kind.encode("latin-1")}
        answered = await client.post(f"/api/v1/warnings{path}", content=body, headers=headers)  # type: ignore[arg-type] # bytes on purpose
        assert 400 <= answered.status_code < 500
        assert answered.headers["content-type"] == PROBLEM
