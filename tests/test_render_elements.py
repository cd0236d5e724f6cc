"""A warning without one of its elements is refused by name."""

from dataclasses import replace

import pytest

from tests.fakes.flood import ALERT, EN, ZH, flood, said, templates
from warnd.model.cap import Area, Info
from warnd.model.reason import Verdict
from warnd.render import MessageFacts, facts


def named(*infos: Info) -> list[str]:
    return [reason.element for reason in templates().missing(flood(*infos))]


def test_a_whole_warning_misses_nothing() -> None:
    assert templates().missing(said()) == ()


@pytest.mark.parametrize(
    ("broken", "element"),
    [
        (replace(ZH, sender_name=None), "info[1]/senderName"),
        (replace(ZH, event=""), "info[1]/event"),
        (replace(ZH, expires=None), "info[1]/expires"),
        (replace(ZH, areas=()), "info[1]/area[1]/areaDesc"),
        (replace(ZH, areas=(Area(description=" \u200b "),)), "info[1]/area[1]/areaDesc"),
        (replace(ZH, instruction=None), "info[1]/instruction"),
        (replace(ZH, instruction=" \n "), "info[1]/instruction"),
    ],
)
def test_a_missing_element_is_refused_by_its_name(broken: Info, element: str) -> None:
    (reason,) = templates().missing(flood(broken))
    assert (reason.code, reason.element, reason.verdict) == ("element_missing", element, Verdict.REFUSE)
    assert reason.cause
    assert reason.fix


def test_an_unknown_level_is_missing() -> None:
    assert [reason.element for reason in templates().missing(said(level=None), lang="zh")] == ["info[1]/parameter"]


def test_a_time_of_issue_without_a_zone_is_missing() -> None:
    unzoned = said(replace(ALERT, unzoned=("sent",)))
    assert [reason.element for reason in templates().missing(unzoned)] == ["sent"]


def test_everything_missing_is_named_in_the_order_in_which_it_is_said() -> None:
    empty = replace(ZH, sender_name=None, event="", expires=None, areas=(), instruction=None)
    assert named(empty) == [
        "info[1]/senderName",
        "info[1]/event",
        "info[1]/expires",
        "info[1]/area[1]/areaDesc",
        "info[1]/instruction",
    ]


def test_each_language_that_is_used_must_be_whole() -> None:
    assert named(ZH, replace(EN, instruction=None)) == ["info[2]/instruction"]


def test_a_language_that_no_one_here_reads_may_be_incomplete() -> None:
    assert named(ZH, replace(EN, language="fr", instruction=None)) == []


def test_a_warning_in_no_language_of_the_node_is_refused() -> None:
    (reason,) = templates().missing(flood(replace(EN, language="fr")))
    assert reason.element == "info/language"
    assert "fr" in reason.cause
    assert "zh, en" in reason.fix


def test_a_language_that_is_asked_for_and_absent_is_named() -> None:
    (reason,) = templates().missing(flood(ZH), lang="en")
    assert reason.element == "info/language"


def test_a_sender_with_a_configured_name_needs_no_sender_name() -> None:
    nameless = replace(ALERT, infos=(replace(ZH, sender_name=None),))
    assert templates().missing(said(nameless, sender_names={ALERT.sender: "清河县防汛办"})) == ()


def test_region_names_stand_in_where_no_area_is_described() -> None:
    nowhere = replace(ALERT, infos=(replace(ZH, areas=()),))
    assert templates().missing(said(nowhere, area_names={"zh": "柳河镇"})) == ()


def test_an_info_without_a_language_is_english() -> None:
    """CAP 1.2 §3.2.2: an absent language means en-US."""
    assert templates().languages(flood(replace(EN, language=None))) == ("en",)


def test_languages_come_in_the_nodes_order() -> None:
    message = flood(EN, ZH, replace(EN, language="fr"))
    assert templates().languages(message) == ("zh", "en")
    assert templates(languages=("en-GB", "zh-CN")).languages(message) == ("en", "zh")


def test_the_life_of_several_infos_is_from_the_first_start_to_the_last_end() -> None:
    assert ZH.expires is not None
    later = replace(ZH, onset=ZH.expires, expires=ZH.expires.replace(hour=20))
    message = facts(replace(ALERT, infos=(ZH, later)), level=None)
    assert (message.starts_at, message.ends_at) == (ZH.onset, later.expires)


@pytest.mark.parametrize("message", [flood(replace(ZH, expires=None)), said(replace(ALERT, unzoned=("sent",)))])
def test_what_is_never_released_is_never_rendered(message: MessageFacts) -> None:
    with pytest.raises(ValueError, match="cannot be rendered"):
        templates().text("sms", "zh", message=message, kind="warning", drill=False)
    with pytest.raises(ValueError, match="cannot be rendered"):
        templates().speech(message, "warning", drill=False)
