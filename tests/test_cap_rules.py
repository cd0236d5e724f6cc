"""Each rule fires on what it is for and is silent on what is right."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.cap.alerts import (
    ALERT,
    AREA,
    CANCEL,
    INFO,
    NOW,
    REFERENCE,
    SQUARE,
    judged,
    sample,
    with_area,
    with_info,
)
from warnd.model.cap import RULES, Alert, CapError, Circle, finding, parse
from warnd.model.reason import Reason, Verdict, shorten

BOW_TIE = ((0.0, 0.0), (2.0, 2.0), (2.0, 0.0), (0.0, 2.0), (0.0, 0.0))
WIDE = ((50.0, 179.0), (50.0, -179.0), (51.0, -179.0), (50.0, 179.0))
SWAPPED = tuple((lon, lat) for lat, lon in SQUARE)
UPDATE = replace(ALERT, msg_type="Update", references=(REFERENCE,))
UNKNOWN = replace(INFO, severity="Unknown")
ENGLISH = replace(INFO, language="en")
HOUR = timedelta(hours=1)

REFUSE, HOLD, NOTE = Verdict.REFUSE, Verdict.HOLD, Verdict.NOTE

# (code, verdict, element, an alert that breaks the rule, one beside it that does not)
CASES: list[tuple[str, Verdict, str, Alert, Alert]] = [
    ("sender_unusable", REFUSE, "sender", replace(ALERT, sender=""), ALERT),
    ("sender_unusable", REFUSE, "sender", replace(CANCEL, sender="s" * 501), replace(CANCEL, sender="s" * 500)),
    ("identifier_unusable", REFUSE, "identifier", replace(ALERT, identifier="\u3000"), ALERT),
    ("key_characters", NOTE, "sender", replace(ALERT, sender="Met Office"), ALERT),
    ("key_characters", NOTE, "identifier", replace(ALERT, identifier="a,1"), replace(ALERT, identifier="a;1")),
    ("not_dispatched_status", REFUSE, "status", replace(ALERT, status="Draft"), replace(ALERT, status="Exercise")),
    ("not_dispatched_status", REFUSE, "status", replace(CANCEL, status="System"), replace(CANCEL, status="Test")),
    ("not_dispatched_type", REFUSE, "msgType", replace(UPDATE, msg_type="Ack"), UPDATE),
    ("not_dispatched_type", REFUSE, "msgType", replace(UPDATE, msg_type="Error"), UPDATE),
    ("references_missing", REFUSE, "references", replace(UPDATE, references=()), UPDATE),
    ("references_missing", REFUSE, "references", replace(CANCEL, references=()), CANCEL),
    ("references_missing", REFUSE, "references", replace(CANCEL, identifier="flood-0"), CANCEL),
    (
        "references_missing",
        REFUSE,
        "references",
        replace(CANCEL, references=(), unreadable_references=("x,y",)),
        CANCEL,
    ),
    ("reference_unreadable", NOTE, "references", replace(CANCEL, unreadable_references=("x,y",)), CANCEL),
    (
        "restriction_missing",
        NOTE,
        "restriction",
        replace(ALERT, scope="Restricted"),
        replace(ALERT, scope="Restricted", restriction="staff"),
    ),
    (
        "addresses_missing",
        NOTE,
        "addresses",
        replace(ALERT, scope="Private"),
        replace(ALERT, scope="Private", addresses="a@b"),
    ),
    (
        "cancel_kind_unknown",
        NOTE,
        "info",
        replace(CANCEL, infos=(replace(INFO, parameters=(("warnd:cancel", "undo"),)),)),
        replace(CANCEL, infos=(replace(INFO, parameters=(("warnd:cancel", "lift"),)),)),
    ),
    ("time_without_zone", REFUSE, "sent", replace(ALERT, unzoned=("sent",)), ALERT),
    ("time_without_zone", NOTE, "sent", replace(CANCEL, unzoned=("sent",)), CANCEL),
    (
        "expires_missing",
        REFUSE,
        "info[2]/expires",
        with_info(INFO, replace(ENGLISH, expires=None)),
        with_info(INFO, ENGLISH),
    ),
    ("expires_past", REFUSE, "info/expires", with_info(expires=NOW), with_info(expires=NOW + timedelta(seconds=1))),
    ("expires_not_after_sent", REFUSE, "info/expires", with_info(expires=ALERT.sent), with_info(expires=NOW + HOUR)),
    ("info_expired", NOTE, "info[2]/expires", with_info(INFO, replace(ENGLISH, expires=NOW)), with_info(INFO, ENGLISH)),
    ("effective_after_expires", NOTE, "info[1]/onset", with_info(onset=INFO.expires), with_info(onset=NOW)),
    ("effective_after_expires", NOTE, "info[1]/effective", with_info(effective=INFO.expires), with_info(effective=NOW)),
    (
        "sent_in_future",
        HOLD,
        "sent",
        replace(ALERT, sent=NOW + timedelta(seconds=301)),
        replace(ALERT, sent=NOW + timedelta(seconds=300)),
    ),
    ("info_missing", REFUSE, "info", replace(ALERT, infos=()), CANCEL),
    ("info_missing", REFUSE, "info", replace(UPDATE, infos=()), UPDATE),
    ("language_missing", HOLD, "info[1]/language", with_info(language=None), with_info(language="en-US")),
    ("event_blank", NOTE, "info[1]/event", with_info(event="\u3000"), ALERT),
    ("instruction_missing", NOTE, "info[1]/instruction", with_info(instruction=None), ALERT),
    ("instruction_missing", NOTE, "info[1]/instruction", with_info(instruction=" "), ALERT),
    ("level_unknown", HOLD, "info[1]", with_info(UNKNOWN), ALERT),
    ("level_unknown", NOTE, "info[2]", with_info(INFO, replace(UNKNOWN, language="en")), with_info(INFO, ENGLISH)),
    ("level_unknown", HOLD, "info[2]", with_info(INFO, replace(UNKNOWN, language="zho")), with_info(INFO, INFO)),
    ("area_missing", REFUSE, "info", with_info(areas=()), replace(CANCEL, infos=(replace(INFO, areas=()),))),
    ("info_without_area", NOTE, "info[2]/area", with_info(INFO, replace(ENGLISH, areas=())), with_info(INFO, ENGLISH)),
    ("area_description_blank", NOTE, "info[1]/area[1]/areaDesc", with_area(description=""), ALERT),
    ("altitude_unreadable", NOTE, "info[1]/area[1]/ceiling", with_area(ceiling="high"), with_area(ceiling="-12.5")),
    ("polygon_unreadable", NOTE, "info[1]/area[1]/polygon", with_area(unreadable=(("polygon", "x"),)), ALERT),
    (
        "polygon_empty",
        NOTE,
        "info[1]/area[1]/polygon[2]",
        with_area(polygons=(SQUARE, ())),
        with_area(polygons=(SQUARE,)),
    ),
    ("polygon_open", NOTE, "info[1]/area[1]/polygon[1]", with_area(polygons=(SQUARE[:-1],)), ALERT),
    ("polygon_crossing", NOTE, "info[1]/area[1]/polygon[1]", with_area(polygons=(BOW_TIE,)), ALERT),
    ("polygon_off_earth", NOTE, "info[1]/area[1]/polygon[1]", with_area(polygons=(SWAPPED,)), ALERT),
    ("polygon_too_wide", NOTE, "info[1]/area[1]/polygon[1]", with_area(polygons=(WIDE,)), ALERT),
    ("circle_unreadable", NOTE, "info[1]/area[1]/circle", with_area(unreadable=(("circle", "x"),)), ALERT),
    ("circle_off_earth", NOTE, "info[1]/area[1]/circle[1]", with_area(circles=(Circle(104, 31, 5),)), ALERT),
    (
        "circle_radius_zero",
        NOTE,
        "info[1]/area[1]/circle[1]",
        with_area(geocodes=(), polygons=(SQUARE,), circles=(Circle(31, 104, 0),)),
        with_area(circles=(Circle(31, 104, 0.1),)),
    ),
    (
        "circle_radius_zero",
        HOLD,
        "info[1]/area[1]/circle[1]",
        with_area(geocodes=(), circles=(Circle(31, 104, 0),)),
        with_area(geocodes=(), circles=(Circle(31, 104, 0.1),)),
    ),
    *(
        (
            code,
            REFUSE,
            f"info[1]/area[1]/{place}",
            with_area(replace(AREA, geocodes=(), **fault)),
            with_area(replace(AREA, geocodes=(), polygons=(SQUARE,))),
        )
        for code, place, fault in (
            ("polygon_unreadable", "polygon", {"unreadable": (("polygon", "x"),)}),
            ("polygon_empty", "polygon[1]", {"polygons": ((),)}),
            ("polygon_open", "polygon[1]", {"polygons": (SQUARE[:-1],)}),
            ("polygon_crossing", "polygon[1]", {"polygons": (BOW_TIE,)}),
            ("polygon_off_earth", "polygon[1]", {"polygons": (SWAPPED,)}),
            ("polygon_too_wide", "polygon[1]", {"polygons": (WIDE,)}),
            ("circle_unreadable", "circle", {"unreadable": (("circle", "x"),)}),
            ("circle_off_earth", "circle[1]", {"circles": (Circle(104, 31, 5),)}),
        )
    ),
]


@pytest.mark.parametrize(("code", "verdict", "element", "broken", "right"), CASES)
def test_a_rule_fires_on_what_it_is_for_and_only_there(
    code: str, verdict: Verdict, element: str, broken: Alert, right: Alert
) -> None:
    fired = [reason for reason in judged(broken) if reason.code == code]

    assert [(reason.verdict, reason.element) for reason in fired] == [(verdict, element)]
    assert fired[0].cause
    assert fired[0].fix == RULES[code].fix
    assert (code, verdict) not in {(reason.code, reason.verdict) for reason in judged(right)}


def test_every_rule_of_the_table_is_tried_in_each_of_its_verdicts() -> None:
    """The first group is raised by `parse` and tried in test_cap_parse; the last is intake's, which has the directory."""
    at_the_doors = {"too_large", "doctype", "not_xml", "not_cap", "version_unsupported", "element_unexpected"}
    at_the_doors |= {"element_missing", "value_not_allowed", "time_form", "time_unreadable", "structure"}
    of_intake = {"reference_unknown", "area_unresolved", "geocode_unknown"}
    tried = {(code, verdict) for code, verdict, *_ in CASES}

    assert tried == {
        (rule.code, verdict)
        for rule in RULES.values()
        for verdict in rule.verdicts
        if rule.code not in at_the_doors | of_intake
    }


def test_every_rule_says_what_it_means_and_what_to_do() -> None:
    assert all(rule.meaning.endswith(".") and rule.fix.endswith(".") for rule in RULES.values())
    assert all(code == rule.code and rule.verdicts for code, rule in RULES.items())


def test_a_right_warning_has_no_findings() -> None:
    assert judged(ALERT) == ()
    assert judged(UPDATE) == ()
    assert judged(CANCEL) == ()


@pytest.mark.parametrize("name", ["flood_red", "flood_update", "flood_cancel", "flood_cancel_bare"])
def test_the_own_samples_have_no_findings(name: str) -> None:
    alert = parse(sample(f"{name}.xml"))

    assert judged(alert, now=alert.sent) == ()


def test_the_drill_has_no_findings() -> None:
    alert = parse(sample("exercise.xml"))

    assert judged(alert, now=alert.sent) == ()


def test_a_cancel_is_not_judged_by_anything_it_does_not_need() -> None:
    long_past = replace(INFO, expires=datetime(2020, 1, 1, tzinfo=UTC), language=None, severity="Unknown", areas=())
    broken_area = replace(AREA, geocodes=(), polygons=((),), description="")
    cancel = replace(
        CANCEL,
        sent=NOW + timedelta(days=9),
        infos=(long_past, replace(INFO, event="", areas=(broken_area,), expires=None)),
    )

    assert judged(cancel) == ()


def test_a_fault_is_noted_if_another_info_has_a_usable_area() -> None:
    broken = replace(INFO, areas=(replace(AREA, geocodes=(), polygons=((),)),))

    assert {reason.verdict for reason in judged(with_info(broken, ENGLISH))} == {NOTE}


def test_a_thousand_like_findings_are_summed_up() -> None:
    reasons = judged(with_area(*[replace(AREA, description="")] * 1000))

    assert len(reasons) == 5
    assert reasons[-1].cause.endswith("(and 995 more like it)")
    assert "more like it" not in reasons[-2].cause


def test_long_values_are_shortened_in_causes() -> None:
    [reason] = [reason for reason in judged(replace(ALERT, sender="long " * 90)) if reason.code == "key_characters"]

    assert len(reason.cause) <= 300
    assert shorten("a\n b" + "c" * 100, 10) == "a bcccccc…"


def test_a_reason_survives_json() -> None:
    reason = finding("level_unknown", "info[1]", "severity is Unknown", verdict=NOTE)

    assert Reason.from_dict(reason.to_dict()) == reason
    assert reason.to_dict()["verdict"] == "note"


def test_a_finding_cannot_do_what_its_rule_never_does() -> None:
    with pytest.raises(AssertionError, match="never does"):
        finding("expires_past", "info", "x", verdict=NOTE)


def test_what_parse_raises_carries_reasons_that_refuse() -> None:
    with pytest.raises(CapError) as refused:
        parse(b"")

    assert [reason.verdict for reason in refused.value.reasons] == [REFUSE]
