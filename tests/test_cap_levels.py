"""The order in which a level is told (DESIGN §13, CAP), and that it is never guessed."""

from dataclasses import replace

import pytest

from tests.cap.alerts import CANCEL, INFO, with_info
from warnd.model.cap import LevelRules, alert_level, cancel_kind, level_of
from warnd.model.level import Level

RULES = LevelRules.from_words(
    ["colour", "grade"],
    {
        "*": {"Extreme": "red", "Severe": "orange", "Moderate": "yellow", "Minor": "blue"},
        "wind@qinghe.example": {"Severe": "yellow"},
    },
)


def told(sender: str = "flood@qinghe.example", **changes: object) -> Level | None:
    return level_of(replace(INFO, **changes), sender, RULES)  # type: ignore[arg-type]  # Any field may be changed here.


def test_the_parameter_wins_over_names_and_severity() -> None:
    assert told(parameters=(("colour", "橙色"), ("warnd:level", "blue")), severity="Extreme") is Level.BLUE


def test_listed_names_win_over_severity_in_their_order() -> None:
    assert told(parameters=(("grade", "4"), ("colour", "橙色"))) is Level.ORANGE
    assert told(event_codes=(("grade", "3"),)) is Level.YELLOW


def test_names_that_are_not_listed_say_nothing() -> None:
    assert told(parameters=(("level", "blue"),)) is Level.RED


@pytest.mark.parametrize(
    ("severity", "level"),
    [
        ("Extreme", Level.RED),
        ("Severe", Level.ORANGE),
        ("Moderate", Level.YELLOW),
        ("Minor", Level.BLUE),
        ("Unknown", None),
    ],
)
def test_severity_is_mapped_for_any_sender(severity: str, level: Level | None) -> None:
    assert told(severity=severity) is level


def test_a_senders_own_map_stands_alone() -> None:
    assert told("wind@qinghe.example", severity="Severe") is Level.YELLOW
    assert told("wind@qinghe.example", severity="Extreme") is None


@pytest.mark.parametrize(
    ("level", "words"),
    [
        (
            Level.RED,
            [
                "red",
                "RED",
                "红",
                "红色",
                "红色预警",
                "红色预警信号",
                "Ⅰ",
                "Ⅰ级",
                "I级",
                "一级",
                "1",
                "１",
                "1级",
                "特别重大",
            ],
        ),
        (Level.ORANGE, ["Orange", "橙", "橙色预警", "Ⅱ级", "II", "二级", "2", "重大", "严重"]),
        (Level.YELLOW, ["yellow", "黄", "黄色", "Ⅲ级", "iii", "三级", "3", "较大", "较重"]),
        (Level.BLUE, ["Blue", "蓝", "蓝色预警", "Ⅳ级", "IV级", "四级", "4", "一般", "blue alert"]),
    ],
)
def test_the_words_of_practice_are_understood(level: Level, words: list[str]) -> None:
    assert {word: told(parameters=(("colour", word),)) for word in words} == dict.fromkeys(words, level)


@pytest.mark.parametrize("word", ["0", "5", "", "purple", "红橙", "unknown", "红色或橙色"])
def test_an_unreadable_statement_is_not_replaced_by_the_severity(word: str) -> None:
    assert told(parameters=(("colour", word),)) is None
    assert told(parameters=(("warnd:level", word),)) is None


def test_the_parameter_takes_only_the_four_words() -> None:
    assert told(parameters=(("warnd:level", "红色"),)) is None
    assert told(parameters=(("warnd:level", " Red "),)) is Level.RED


def test_a_contradiction_is_no_level() -> None:
    assert told(parameters=(("warnd:level", "red"), ("warnd:level", "blue"))) is None
    assert told(parameters=(("colour", "红"), ("colour", "red"))) is Level.RED
    assert told(parameters=(("colour", "红"),), event_codes=(("colour", "blue"),)) is None


def test_the_alert_has_the_highest_level_of_its_infos() -> None:
    yellow, orange, unknown = (replace(INFO, severity=word) for word in ("Moderate", "Severe", "Unknown"))

    assert alert_level(with_info(yellow, orange, unknown), RULES) is Level.ORANGE
    assert alert_level(with_info(unknown), RULES) is None
    assert alert_level(CANCEL, RULES) is None


def test_a_map_with_a_wrong_word_is_refused() -> None:
    with pytest.raises(ValueError, match="'purple' is no level"):
        LevelRules.from_words([], {"*": {"Extreme": "purple"}})


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ((), None),
        (("lift",), "lift"),
        (("retract",), "retract"),
        (("Lift", "lift"), "lift"),
        (("lift", "retract"), None),
        (("undo",), None),
    ],
)
def test_a_cancel_says_whether_it_lifts_or_retracts(values: tuple[str, ...], kind: str | None) -> None:
    infos = tuple(replace(INFO, parameters=(("warnd:cancel", value),)) for value in values)

    assert cancel_kind(replace(CANCEL, infos=infos)) == kind


def test_levels_carry_their_names() -> None:
    assert [level.word for level in Level] == ["red", "orange", "yellow", "blue"]
    assert [level.colour_zh + level.grade_zh for level in Level] == ["红色Ⅰ级", "橙色Ⅱ级", "黄色Ⅲ级", "蓝色Ⅳ级"]
    assert [Level.named(level.word) for level in Level] == list(Level)
    assert min(Level.BLUE, Level.RED) is Level.RED
