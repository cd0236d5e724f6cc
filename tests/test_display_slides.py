"""What fits on a board: texts are cut where they may be, lose nothing that there is room for, and never overflow."""

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from warnd.web.display_slides import _lines, clipped, cut, in_languages, slides
from warnd.web.wording import PageWarning

LETTERS = st.text(st.characters(categories=["L", "N", "P", "Zs"]) | st.sampled_from("。！；. \n"), max_size=1200)


def bare(text: str) -> str:
    return re.sub(r"\s", "", text)


def page(**changes: object) -> PageWarning:
    values: dict[str, object] = {
        "id": "w",
        "lang": "zh",
        "title": "洪水红色预警",
        "badge": "红色 Ⅰ级",
        "level": "red",
        "headline": "",
        "instruction": "请立即转移到高处。",
        "description": "",
        "areas": ("第1乡", "第2乡"),
        "areas_left": 0,
        "source": "气象台",
        "contact": "",
        "web": "",
        "start": "",
        "end": "",
        "issued": "",
    }
    return PageWarning(**{**values, **changes})  # type: ignore[arg-type] # field by field above


@given(LETTERS, st.sampled_from([2, 3]))
def test_every_part_fits_on_its_screen(text: str, lines: int) -> None:
    parts = cut(text, lines=lines)
    assert 1 <= len(parts) <= 4
    assert all(_lines(part.removesuffix("…")) <= lines + 0.1 for part in parts)


@given(LETTERS)
def test_nothing_is_lost_before_the_end_and_an_end_that_is_lost_shows(text: str) -> None:
    told, whole = bare("".join(cut(text))), bare(text)
    assert told == whole or (told.endswith("…") and whole.startswith(told[:-1]))


def test_a_text_is_cut_at_sentences_where_it_has_them() -> None:
    first, second = "请" * 40 + "。", "走" * 40 + "。"
    assert cut(first + second) == [first, second]
    assert cut("请走。快走！") == ["请走。快走！"]
    assert cut("Leave now. Take nothing.") == ["Leave now. Take nothing."]
    assert [len(part) for part in cut("请" * 130)] == [60, 60, 10]
    words = cut(" ".join(["mountain"] * 30))
    assert all(set(part.split()) == {"mountain"} for part in words)
    assert cut("") == [""]


def test_what_is_clipped_says_so() -> None:
    assert clipped("第1乡、第2乡", 40) == "第1乡、第2乡"
    assert clipped("柳" * 30, 40) == "柳" * 20 + "…"


def test_each_part_is_a_slide_of_its_own_and_a_short_text_is_written_larger() -> None:
    ends = datetime(2026, 7, 3, tzinfo=UTC)
    made = slides(page(), words="zh", text="请" * 130, expires_at=ends)
    assert [(each.part, each.parts, each.short) for each in made] == [(1, 3, False), (2, 3, False), (3, 3, True)]
    assert {(each.title, each.places, each.expires_at) for each in made} == {("洪水红色预警", "第1乡、第2乡", ends)}
    foreign = slides(page(lang="bo", title="ཆུ་ལོག"), words="zh", text="a" * 80, expires_at=None)
    assert len(foreign) == 2  # The level takes a line where the title cannot name it.


def test_a_long_title_keeps_its_level() -> None:
    (made,) = slides(page(title="山洪地质灾害气象风险" * 4 + "红色预警"), words="zh", text="走", expires_at=None)
    assert re.fullmatch("山洪.*…红色预警", made.title)
    assert len(made.title) <= 23
    (made,) = slides(page(lang="en", title="RED " + "Flash flood " * 9), words="en", text="Go", expires_at=None)
    assert made.title.startswith("RED Flash")


def test_a_warning_is_shown_in_the_languages_read_here_or_in_its_own() -> None:
    assert in_languages(["zh", "en"], ["zh", "en"], ["en", "zh", "ug"]) == ["zh", "en"]
    assert in_languages(["zh", "bo"], ["zh", "en"], ["bo"]) == ["bo"]
    assert in_languages(["zh"], ["zh", "en"], ["es", "fr"]) == ["es"]
    assert in_languages(["zh"], ["zh", "en"], []) == ["zh"]
