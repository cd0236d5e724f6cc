"""The HTTP contract from outside: codes, problem details, scopes, listings, decisions."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.outside import county
from tests.outside.broker import needs_mosquitto
from tests.outside.cap import CONTENT_TYPE, Cap, alert, cancel_of, changed, moment, update_of
from tests.outside.county import Village
from tests.outside.house import Api, House, until
from tests.outside.wire import Payload, moment_of

pytestmark = needs_mosquitto

WARNING_KEYS = {
    "id",
    "chain_id",
    "sender",
    "identifier",
    "sent",
    "status",
    "msg_type",
    "level",
    "event",
    "headline",
    "state",
    "reasons",
    "expires",
    "references",
    "approvals",
    "totals",
}
REASON_KEYS = {"code", "element", "cause", "fix", "verdict"}


def is_problem(answer: httpx.Response, code: int) -> Payload:
    """Return the problem document of an answer that is one (RFC 9457)."""
    assert answer.status_code == code, answer.text
    assert answer.headers["content-type"].split(";")[0] == "application/problem+json"
    problem: Payload = answer.json()
    assert problem["status"] == code
    assert problem["title"]
    assert isinstance(problem.get("type", "about:blank"), str)
    return problem


def reasons_of(problem: Payload) -> list[Payload]:
    reasons: list[Payload] = problem["reasons"]
    assert reasons
    for reason in reasons:
        assert set(reason) >= REASON_KEYS
        assert reason["verdict"] in {"refuse", "hold", "note"}
        assert reason["cause"]
        assert reason["fix"]
    return reasons


def test_a_new_warning_is_201_with_the_documents_keys(api: Api, village: Village) -> None:
    document = alert([village.code])
    answer = api.post(document)
    assert answer.status_code == 201
    made = answer.json()
    assert set(made) >= WARNING_KEYS
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", made["id"])
    assert made["chain_id"] == made["id"]
    assert (made["sender"], made["identifier"]) == (document.sender, document.identifier)
    assert (made["status"], made["msg_type"], made["level"]) == ("Actual", "Alert", "red")
    assert (made["event"], made["headline"]) == ("洪水", "清河县洪水红色预警")
    assert moment_of(made["sent"]) == document.sent.replace(microsecond=0)
    assert moment_of(made["expires"]) == document.sent.replace(microsecond=0) + timedelta(hours=2)
    assert len(made["approvals"]) == 1
    totals = api.until_planned(made["id"])["totals"]
    assert set(totals["deliveries"]) == {"open", "satisfied", "exhausted", "expired", "withdrawn"}
    assert set(totals["evidence"]) == {"none", "accepted", "delivered", "presented", "acknowledged"}
    assert set(totals["villages"]) == {"targeted", "confirmed", "confirmed_late", "unconfirmed"}
    assert sum(totals["deliveries"].values()) == sum(totals["evidence"].values()) == len(api.deliveries(made["id"]))
    if "location" in answer.headers:
        assert answer.headers["location"].endswith(made["id"])


def test_the_same_again_is_200_and_the_same_warning(api: Api, village: Village) -> None:
    document = alert([village.code])
    made = api.release(document)
    spaced = document.xml().replace(b"><", b">\n  <")
    for body in (document.xml(), spaced):
        again = api.post(body)
        assert (again.status_code, again.json()["id"]) == (200, made["id"])


def test_the_same_key_with_other_content_is_quarantined(api: Api, village: Village) -> None:
    document = alert([village.code])
    made = api.release(document)
    answer = api.post(changed(document, headline="另一个标题"))
    problem = is_problem(answer, 409)
    assert reasons_of(problem)
    stored = problem.get("id") or problem.get("warning", {}).get("id")
    assert stored
    assert stored != made["id"]
    assert api.warning(stored)["state"] == "quarantined"
    assert api.warning(made["id"])["headline"] == document.infos[0].headline
    assert api.http.get(f"/w/{stored}").status_code == 404
    assert is_problem(api.http.post(f"/api/v1/warnings/{stored}/approve"), 409)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no xml",
        b'{"json": true}',
        b"<alert",
        b'<?xml version="1.0"?><!DOCTYPE alert><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"/>',
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b"\xff\xfe\x00",
    ],
)
def test_what_is_no_xml_or_has_a_doctype_is_400(api: Api, body: bytes) -> None:
    is_problem(api.post(body), 400)


def test_xml_that_is_no_cap_is_422_by_element(api: Api) -> None:
    answer = api.post(b'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>x</identifier></alert>')
    assert reasons_of(is_problem(answer, 422))
    assert reasons_of(is_problem(api.post(b"<rss/>"), 422))


def test_more_than_two_mebibytes_is_413(api: Api) -> None:
    is_problem(api.post(b"<alert>" + b" " * (2 * 1024 * 1024) + b"</alert>"), 413)


def test_two_mebibytes_that_never_end_are_413_too(api: Api) -> None:
    def endless() -> Iterator[bytes]:
        yield b"<alert>"
        for _ in range(40):
            yield b" " * 65_536

    answer = api.http.post("/api/v1/warnings", content=endless(), headers=CONTENT_TYPE)
    is_problem(answer, 413)


@pytest.mark.parametrize("kind", ["application/cap+xml", "application/xml", "text/xml", "text/xml; charset=utf-8"])
def test_xml_types_are_taken(api: Api, village: Village, kind: str) -> None:
    answer = api.http.post("/api/v1/warnings", content=alert([village.code]).xml(), headers={"Content-Type": kind})
    assert answer.status_code == 201


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/octet-stream", "multipart/form-data"])
def test_other_types_are_415(api: Api, village: Village, kind: str) -> None:
    body = alert([village.code]).xml()
    is_problem(api.http.post("/api/v1/warnings", content=body, headers={"Content-Type": kind}), 415)


def test_no_type_at_all_is_415(api: Api, village: Village) -> None:
    request = api.http.build_request("POST", "/api/v1/warnings", content=alert([village.code]).xml())
    request.headers.pop("content-type", None)
    is_problem(api.http.send(request), 415)


PRIVATE_PATHS = [
    ("GET", "/api/v1/warnings"),
    ("GET", "/api/v1/warnings/x"),
    ("GET", "/api/v1/warnings/x/coverage"),
    ("GET", "/api/v1/warnings/x/deliveries"),
    ("GET", "/api/v1/warnings/x/events"),
    ("GET", "/api/v1/terminals"),
    ("POST", "/api/v1/warnings"),
    ("POST", "/api/v1/warnings/preview"),
    ("POST", "/api/v1/warnings/x/approve"),
    ("POST", "/api/v1/warnings/x/reject"),
    ("POST", "/api/v1/warnings/x/cancel"),
]


@pytest.mark.parametrize(("method", "path"), PRIVATE_PATHS)
def test_nobody_without_a_token_gets_in(house: House, method: str, path: str) -> None:
    open_door = house.api(None).http
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic eDp5"},
        {"Authorization": "Bearer"},
    ):
        answer = open_door.request(method, path, headers={**CONTENT_TYPE, **headers})
        is_problem(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_scopes_open_what_they_say_and_no_more(house: House, api: Api, village: Village) -> None:
    made = api.release(alert([village.code]))
    path = f"/api/v1/warnings/{made['id']}"
    reader, submitter = house.api("read"), house.api("submit")
    assert reader.http.get(path).status_code == 200
    is_problem(reader.post(alert([village.code])), 403)
    for client in (reader, submitter):
        for action, body in (("approve", None), ("reject", None), ("cancel", {"kind": "lift", "reason": "over"})):
            is_problem(client.http.post(f"{path}/{action}", json=body), 403)
    assert house.api("admin").http.get(path).status_code == 200


def test_a_token_bound_to_a_sender_speaks_for_it_only(house: House, village: Village) -> None:
    bound = house.api("release", "--sender", "flood@qinghe.example")
    assert bound.post(alert([village.code])).status_code == 201
    is_problem(bound.post(alert([village.code], sender="storm@qinghe.example")), 403)


def test_a_token_bound_to_a_region_warns_its_subtree_only(house: House, village: Village) -> None:
    bound = house.api("release", "--region", county.TOWNSHIP)
    assert bound.post(alert([village.code])).status_code == 201
    is_problem(bound.post(alert([county.LEADERS_VILLAGE])), 403)
    is_problem(bound.post(alert([village.code, county.LEADERS_VILLAGE])), 403)
    is_problem(bound.post(alert([county.COUNTY])), 403)


def test_a_submit_tokens_warning_waits_for_a_release(house: House, api: Api, village: Village) -> None:
    answer = house.api("submit").post(alert([village.code]))
    assert (answer.status_code, answer.json()["state"]) == (201, "in_review")
    waiting = answer.json()["id"]
    assert api.http.get(f"/w/{waiting}").status_code == 404
    assert waiting in [each["id"] for each in api.get("/api/v1/warnings", state="in_review")["warnings"]]
    assert house.texts(village.officer_phone) == []
    approved = api.http.post(f"/api/v1/warnings/{waiting}/approve")
    assert approved.status_code == 200
    assert approved.json()["id"] == waiting
    assert approved.json()["state"] in {"dispatching", "completed"}
    assert approved.json()["approvals"]
    house.text(village.officer_phone, waiting)
    assert api.http.get(f"/w/{waiting}").status_code == 200
    is_problem(api.http.post(f"/api/v1/warnings/{waiting}/approve"), 409)
    is_problem(api.http.post(f"/api/v1/warnings/{waiting}/reject"), 409)


def test_a_rejected_warning_goes_nowhere(house: House, api: Api, village: Village) -> None:
    waiting = house.api("submit").post(alert([village.code])).json()["id"]
    rejected = api.http.post(f"/api/v1/warnings/{waiting}/reject")
    assert (rejected.status_code, rejected.json()["state"]) == (200, "rejected")
    assert api.http.get(f"/w/{waiting}").status_code == 404
    is_problem(api.http.post(f"/api/v1/warnings/{waiting}/approve"), 409)
    is_problem(api.http.post(f"/api/v1/warnings/{waiting}/cancel", json={"kind": "lift", "reason": "no"}), 409)
    assert house.texts(village.officer_phone) == []


HELD = [
    ("level unknown", {"level": None}),
    ("a level word nobody knows", {"level": "purple"}),
    ("language missing", {"language": None}),
    ("sent in the future", {"sent": moment(ahead_s=7200)}),
    ("no area that resolves", {"geocodes": (("region_code", "999999999999"),)}),
    ("no geocode at all", {"geocodes": ()}),
]


@pytest.mark.parametrize(("what", "change"), HELD, ids=[what for what, _ in HELD])
def test_what_an_operator_must_decide_is_held(
    house: House, api: Api, village: Village, what: str, change: dict[str, Any]
) -> None:
    answer = api.post(alert([village.code], **change))
    assert answer.status_code == 202, (what, answer.text)
    made = answer.json()
    assert made["state"] == "held"
    assert [reason for reason in reasons_of(made) if reason["verdict"] == "hold"]
    assert api.warning(made["id"])["state"] == "held"
    assert api.http.get(f"/w/{made['id']}").status_code == 404
    assert house.texts(village.officer_phone) == []


def test_an_update_to_nothing_known_is_held(api: Api, village: Village) -> None:
    answer = api.post(update_of(alert([village.code])))
    assert (answer.status_code, answer.json()["state"]) == (202, "held")


REFUSED = [
    ("expires missing", {"expires_s": None}, "expires"),
    ("expired", {"sent": moment(ahead_s=-9000)}, "expires"),
    ("expires before sent", {"expires_s": -60.0}, "expires"),
    ("no instruction", {"instruction": None}, "instruction"),
    ("Update without references", {"msg_type": "Update"}, "references"),
    ("Cancel without references", {"msg_type": "Cancel"}, "references"),
    ("open polygon", {"geocodes": (), "polygons": ("35,110 35,111 36,111",)}, "polygon"),
]


@pytest.mark.parametrize(("what", "change", "element"), REFUSED, ids=[each[0] for each in REFUSED])
def test_what_cannot_be_said_is_refused_by_element(
    api: Api, village: Village, what: str, change: dict[str, Any], element: str
) -> None:
    problem = is_problem(api.post(alert([village.code], **change)), 422)
    refusals = [reason for reason in reasons_of(problem) if reason["verdict"] == "refuse"]
    assert [reason for reason in refusals if element in (reason["element"] or "")], (what, problem)


def test_a_refused_warning_can_be_sent_again_corrected(api: Api, village: Village) -> None:
    document = alert([village.code], expires_s=None)
    is_problem(api.post(document), 422)
    assert api.post(changed(document, expires_s=600.0)).status_code in {201, 409}


def test_a_level_comes_from_where_the_settings_say(api: Api, village: Village) -> None:
    by_colour = alert([village.code], level=None, parameters={"Colour": "yellow"})
    assert api.release(by_colour)["level"] == "yellow"
    by_code = alert([village.code], level=None, event_codes={"Colour": "blue"})
    assert api.release(by_code)["level"] == "blue"
    graded: dict[str, Any] = {"sender": "graded@qinghe.example", "level": None}
    assert api.release(alert([village.code], severity="Severe", **graded))["level"] == "orange"
    assert api.post(alert([village.code], severity="Minor", **graded)).status_code == 202


def test_updates_come_from_the_sender_or_its_superiors(api: Api, village: Village) -> None:
    document = alert([village.code])
    first = api.release(document)
    is_problem(api.post(update_of(document, sender="storm@qinghe.example")), 403)
    second = api.release(update_of(document, sender="flood@province.example"))
    assert second["chain_id"] == first["id"]
    assert api.warning(first["id"])["state"] == "superseded"


def test_an_unknown_warning_is_404_everywhere(api: Api) -> None:
    for method, path in PRIVATE_PATHS:
        if "/x" in path:
            body = {"kind": "lift", "reason": "r"} if path.endswith("cancel") else None
            is_problem(api.http.request(method, path, json=body), 404)
    is_problem(api.http.get("/api/v1/nothing"), 404)


def test_listings_are_paged_and_filtered(api: Api, village: Village) -> None:
    sender = "lists@qinghe.example"
    made = [api.release(alert([village.code], sender=sender, level="blue"))["id"] for _ in range(5)]
    seen: list[str] = []
    cursor = None
    for _ in range(5):
        query = {"sender": sender, "limit": 2} | ({} if cursor is None else {"cursor": cursor})
        page = api.get("/api/v1/warnings", **query)
        assert set(page) == {"warnings", "cursor"}
        seen += [each["id"] for each in page["warnings"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(made)
    assert cursor is None
    wanted = api.warning(made[2])
    (only,) = api.get("/api/v1/warnings", sender=sender, identifier=wanted["identifier"])["warnings"]
    assert only["id"] == made[2]
    assert api.get("/api/v1/warnings", sender=sender, state="rejected")["warnings"] == []


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "cursor=%00", "cursor=!!!", "state=nonsense"])
def test_bad_queries_are_told_so(api: Api, query: str) -> None:
    answer = api.http.get(f"/api/v1/warnings?{query}")
    assert answer.status_code in {400, 422}, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")


def test_deliveries_say_who_was_to_hear_and_never_a_whole_number(api: Api, house: House, village: Village) -> None:
    made = api.release(alert([village.code]))
    house.text(village.officer_phone, made["id"])
    api.until_evidence(made["id"], village.officer, "accepted")
    rows = api.deliveries(made["id"], region=village.code)
    row = next(each for each in rows if each["recipient"] == village.officer)
    keys = {"id", "recipient", "region", "purpose", "subject", "evidence", "state", "due_by", "breached_at"}
    assert set(row) >= keys | {"satisfied_at", "legs"}
    assert (row["region"], row["state"]) == (village.code, "open")
    (leg,) = row["legs"]
    assert set(leg) >= {"channel", "address_masked", "attempts"}
    assert leg["channel"] == "sms"
    assert village.officer_phone not in str(row)
    assert village.officer_phone[-8:] not in leg["address_masked"]
    assert {each["recipient"] for each in api.deliveries(made["id"], state="open")} >= {village.officer}
    assert api.deliveries(made["id"], state="withdrawn") == []
    page = api.get(f"/api/v1/warnings/{made['id']}/deliveries", limit=1)
    assert set(page) == {"deliveries", "cursor"}
    assert len(page["deliveries"]) == 1
    assert page["cursor"]


def test_terminals_are_paged(api: Api) -> None:
    first = api.get("/api/v1/terminals", limit=200)
    assert set(first) == {"terminals", "cursor"}
    second = api.get("/api/v1/terminals", limit=200, cursor=first["cursor"])
    ids = [row["id"] for row in first["terminals"] + second["terminals"]]
    assert len(first["terminals"]) == 200
    assert len(ids) == len(set(ids))
    assert set(ids) >= {each.terminal for each in county.villages()}
    assert second["cursor"] is None


@pytest.mark.parametrize(
    "body",
    [None, {}, {"kind": "lift"}, {"kind": "stop", "reason": "x"}, {"reason": "x"}, {"kind": "lift", "reason": ""}, []],
)
def test_a_cancel_without_kind_or_reason_is_refused(api: Api, village: Village, body: object) -> None:
    made = api.release(alert([village.code], level="blue"))
    answer = api.http.post(f"/api/v1/warnings/{made['id']}/cancel", json=body)
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert api.warning(made["id"])["state"] in {"dispatching", "completed"}


@pytest.mark.parametrize("kind", ["lift", "retract"])
def test_an_operators_cancel_is_a_new_warning_of_the_chain(api: Api, house: House, village: Village, kind: str) -> None:
    document = alert([village.code])
    made = api.release(document)
    house.text(village.officer_phone, made["id"])
    answer = api.http.post(f"/api/v1/warnings/{made['id']}/cancel", json={"kind": kind, "reason": "水位已退"})
    assert answer.status_code == 201
    taken_back = answer.json()
    assert set(taken_back) >= WARNING_KEYS
    assert (taken_back["msg_type"], taken_back["chain_id"]) == ("Cancel", made["id"])
    assert taken_back["id"] != made["id"]
    assert taken_back["references"]
    assert document.identifier in str(taken_back["references"])
    assert api.warning(made["id"])["state"] == "cancelled"
    text = house.text(village.officer_phone, taken_back["id"])
    assert text["kind"] == "cancel"
    assert ("解除" in text["text"]) == (kind == "lift")
    assert ("撤回" in text["text"] or "误发" in text["text"]) == (kind == "retract")
    again = api.http.post(f"/api/v1/warnings/{made['id']}/cancel", json={"kind": kind, "reason": "again"})
    assert is_problem(again, 409)


def test_a_cancel_without_its_kind_speaks_neutrally(api: Api, house: House, village: Village) -> None:
    document = alert([village.code])
    first = api.release(document)
    house.text(village.officer_phone, first["id"])
    made = api.release(cancel_of(document))
    text = house.text(village.officer_phone, made["id"])["text"]
    assert "误发" not in text
    assert "撤回" not in text
    assert "解除" not in text


def test_a_cancel_goes_to_exactly_those_who_may_have_got_it(
    api: Api, house: House, village: Village, other: Village
) -> None:
    document = alert([village.code])
    first = api.release(document)
    house.text(village.officer_phone, first["id"])
    made = api.release(cancel_of(document, kind="lift", geocodes=(("region_code", other.code),)))
    house.text(village.officer_phone, made["id"])
    api.until_planned(made["id"])
    heard = {row["recipient"] for row in api.deliveries(first["id"]) if row["evidence"] != "none"}
    told = {row["recipient"] for row in api.deliveries(made["id"])}
    assert heard <= told
    assert other.officer not in told
    assert house.texts(other.officer_phone) == []


def test_an_alert_after_its_cancel_arrives_cancelled(api: Api, house: House, village: Village) -> None:
    document = alert([village.code])
    tombstone = api.post(cancel_of(document))
    assert tombstone.status_code in {201, 202}
    answer = api.post(document)
    assert answer.status_code in {200, 201}
    assert answer.json()["state"] == "cancelled"
    assert api.warning(answer.json()["id"])["state"] == "cancelled"
    assert house.texts(village.officer_phone) == []


def test_an_older_update_changes_nothing(api: Api, village: Village) -> None:
    document = alert([village.code])
    first = api.release(document)
    newer = api.release(update_of(document, sent=document.sent + timedelta(seconds=3)))
    older = api.post(update_of(document, sent=document.sent + timedelta(seconds=1)))
    assert older.status_code in {200, 201, 202}
    assert older.json()["state"] not in {"dispatching", "completed"}
    assert api.warning(newer["id"])["state"] in {"dispatching", "completed"}
    assert api.warning(first["id"])["state"] == "superseded"


@pytest.mark.parametrize("status", ["Draft", "System"])
def test_drafts_and_system_messages_are_never_dispatched(api: Api, house: House, village: Village, status: str) -> None:
    answer = api.post(alert([village.code], status=status))
    assert answer.status_code in {202, 422}, answer.text
    assert house.texts(village.officer_phone) == []


def test_a_preview_shows_everything_and_does_nothing(api: Api, house: House, village: Village) -> None:
    document = alert([village.code, county.FOREIGN_VILLAGE])
    answer = api.http.post("/api/v1/warnings/preview", content=document.xml(), headers=CONTENT_TYPE)
    assert answer.status_code == 200
    assert village.code in answer.text
    assert county.FOREIGN_VILLAGE in answer.text
    assert api.get("/api/v1/warnings", identifier=document.identifier)["warnings"] == []
    assert house.texts(village.officer_phone) == []


def test_the_api_describes_itself(house: House) -> None:
    door = house.api(None).http
    assert door.get("/api/docs").status_code == 200
    described = next(
        answer.json()
        for path in ("/api/openapi.json", "/openapi.json", "/api/docs/openapi.json")
        if (answer := door.get(path)).status_code == 200
    )
    assert {re.sub(r"{\w+}", "{}", path) for path in described["paths"]} >= {
        "/api/v1/warnings",
        *(path.replace("/x", "/{}") for _, path in PRIVATE_PATHS),
    }


def test_health_is_open_and_metrics_are_prometheus(house: House) -> None:
    door = house.api(None).http
    assert door.get("/healthz").status_code == 200
    assert door.get("/readyz").status_code == 200
    metrics = house.api("admin").http.get("/metrics")
    assert metrics.status_code == 200
    assert "# TYPE" in metrics.text


def test_a_kept_connection_is_answered_without_a_pause(house: House) -> None:
    """A server that forgets TCP_NODELAY takes 40 ms for each answer after the first few."""
    door = house.api(None).http
    took = sorted(door.get("/healthz").elapsed for _ in range(30))
    assert took[5] < timedelta(milliseconds=35)


def test_a_foreign_village_is_listed_and_never_messaged(api: Api, house: House, village: Village) -> None:
    made = api.release(alert([village.code, county.FOREIGN_VILLAGE]))
    api.until_planned(made["id"])
    house.text(village.officer_phone, made["id"])
    assert house.texts("+8613600000005") == []
    assert api.deliveries(made["id"], recipient="officer-foreign") == []
    assert county.FOREIGN_VILLAGE in str(api.warning(made["id"])["reasons"])


def test_only_foreign_villages_is_nothing_to_release(api: Api) -> None:
    answer = api.post(alert([county.FOREIGN_VILLAGE]))
    assert answer.status_code in {202, 403, 422}, answer.text


def test_restricted_warnings_need_a_restriction_and_stay_off_the_web(api: Api, house: House, village: Village) -> None:
    made = api.release(alert([village.code], scope="Restricted", restriction="officers only"))
    house.text(village.officer_phone, made["id"])
    assert api.http.get(f"/w/{made['id']}").status_code == 404
    assert api.http.get(f"/feed/{made['id']}.xml").status_code == 404


def test_the_documents_of_a_listing_and_of_one_warning_agree(api: Api, village: Village) -> None:
    made = api.release(alert([village.code], sender="agree@qinghe.example"))
    api.until_planned(made["id"])

    def both() -> bool:
        (listed,) = api.get("/api/v1/warnings", sender="agree@qinghe.example")["warnings"]
        return bool(listed == api.warning(made["id"]))

    until(both, "listing and document agree")


def test_a_cap_1_1_document_is_taken(api: Api, village: Village) -> None:
    document: Cap = alert([village.code])
    old = document.xml().replace(b"urn:oasis:names:tc:emergency:cap:1.2", b"urn:oasis:names:tc:emergency:cap:1.1")
    assert api.post(old).status_code == 201
