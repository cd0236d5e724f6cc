"""Texts from outside lose their tricks and keep their words."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warnd.render.clean import clean, without_denial


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        (None, ""),
        ("", ""),
        (" \n\t ", ""),
        ("立即\r\n  转移", "立即转移"),
        ("move\n\n to high  ground", "move to high ground"),
        ("A\x00B\x07C", "A B C"),
        ("安\u200b全\u202e乡\ufeff", "安全乡"),
        ("a\u2028b\u2029c\u00a0d", "a b c d"),
        ("【演练】洪水", "〔演练〕洪水"),
        ("［演练］", "（演练）"),
        ("[EXERCISE] flood", "(EXERCISE) flood"),
        ("１５：３０", "15：30"),
        ("ＡＢ", "AB"),
        ("请回复1确认", "请…"),
        ("请回复 １２ 确认", "请…"),
        ("请回\u200b复1确认", "请…"),
        ("rEpLy 1 to CONFIRM", "…"),
        ("回复确认", "回复确认"),
        ("{{ w.source }}{% raw %}", "{{ w.source }}{% raw %}"),
        ("水位1.5米，\U0001f6a8", "水位1.5米，\U0001f6a8"),
    ],
)
def test_a_value_is_cleaned(value: str | None, cleaned: str) -> None:
    assert clean(value, lang="zh") == cleaned


def test_english_loses_its_typographic_marks() -> None:
    assert clean("“Don’t” – wait…", lang="en") == '"Don\'t" - wait...'
    assert clean("“不要”——等……", lang="zh") == "“不要”——等……"


@given(st.text(), st.sampled_from(["zh", "en"]))
def test_nothing_unseen_and_none_of_our_marks_is_left(value: str, lang: str) -> None:
    cleaned = clean(value, lang=lang)
    assert not set("【】[]\n\r\t") & set(cleaned)
    assert all(character == " " or unicodedata.category(character)[0] in "LMNPS" for character in cleaned)
    assert clean(cleaned, lang=lang) == cleaned


@pytest.mark.parametrize(
    "denial",
    [
        "这不是演练",
        "这不是一次演习",
        "并非演练",
        "非演练",
        "This is not a drill",
        "this is NOT a test",
        "no drill",
        "not an exercise",
    ],
)
def test_a_denial_is_taken_out_and_the_rest_stays(denial: str) -> None:
    assert without_denial(f"转移。{denial}。快走") == "转移。 。快走"


def test_a_drill_may_be_called_one() -> None:
    assert without_denial("这是演练。This is a drill.") == "这是演练。This is a drill."
