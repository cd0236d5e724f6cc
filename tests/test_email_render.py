"""What a mail says: level, hazard and place first, marks that no template can lose, every value escaped."""

import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.fakes.flood import ALERT, CANCEL, EN, ZH, flood, said, templates
from warnd.channel import ANSWER_LINK, Text
from warnd.model.level import Level
from warnd.model.region import stored_code
from warnd.render import MessageFacts, Purpose
from warnd.resources import shipped


class Page(HTMLParser):
    """The words and the outside addresses of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"href", "src", "background"}]

    def handle_data(self, data: str) -> None:
        self.words += data.split()


def mail(
    message: MessageFacts,
    *,
    lang: str = "zh",
    kind: Purpose = "warning",
    drill: bool = False,
    repeated: bool = False,
    asks: bool = True,
) -> Text:
    return templates().text("email", lang, message=message, kind=kind, drill=drill, repeated=repeated, asks=asks)


def test_the_subject_begins_with_level_hazard_and_place() -> None:
    assert mail(said()).subject == "洪水红色预警：柳河镇、石桥镇"
    assert mail(said(), lang="en").subject == "RED Flood warning: Liuhe and Shiqiao"


@pytest.mark.parametrize(("lang", "mark", "again"), [("zh", "【演练】", "（重发）"), ("en", "[EXERCISE]", "(repeat)")])
def test_marks_come_before_everything(lang: str, mark: str, again: str) -> None:
    made = mail(said(), lang=lang, drill=True, repeated=True)
    assert made.subject.startswith(mark)
    assert made.text.startswith(mark)
    assert again in made.subject[: len(mark) + len(again) + 2]
    page = Page(made.html)
    assert f"{mark}{again}" in "".join(page.words)
    assert mark not in mail(said(), lang=lang).html


def test_a_warning_says_everything_in_both_bodies() -> None:
    made = mail(said(), lang="en")
    words = " ".join(Page(made.html).words)
    for part in (
        "RED Flood warning",
        "Liuhe and Shiqiao",
        "Move to high ground now. Do not cross flooded roads. In danger call 119.",
        "The river is 1.5 m above its mark.",
        "3 July 2026, 15:30",
        "3 July 2026, 21:00",
        "Qinghe Flood Office",
    ):
        assert part in made.text
        assert part in words
    assert "RED, level I of IV (extreme)" in words


@pytest.mark.parametrize("level", [*Level, None])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_level_is_told_by_words_beside_its_colour(level: Level | None, lang: str) -> None:
    page = " ".join(Page(mail(said(level=level), lang=lang).html).words)
    named = {"zh": level.colour_zh, "en": level.word.upper()}[lang] if level else ""
    assert page.count(named) >= 2 if named else "level" not in page


def test_who_is_asked_finds_the_link_as_a_button_and_in_full() -> None:
    made = mail(said())
    assert f"确认收到 / Confirm：\n{ANSWER_LINK}" in made.text
    page = Page(made.html)
    assert page.addresses == [ANSWER_LINK, ANSWER_LINK]
    assert ANSWER_LINK in page.words
    silent = mail(said(), asks=False)
    assert "确认收到" not in silent.text + silent.html
    assert Page(silent.html).addresses == []


@pytest.mark.parametrize(
    ("cancel", "lang", "subject", "words"),
    [
        ("lift", "zh", "解除：洪水红色预警（柳河镇、石桥镇）", "危险已过"),
        ("retract", "zh", "更正：洪水红色预警（柳河镇、石桥镇）", "系误发，请勿据此行动"),
        (None, "zh", "取消：洪水红色预警（柳河镇、石桥镇）", "已取消，不再有效"),
        ("lift", "en", "Lifted: RED Flood warning (Liuhe and Shiqiao)", "danger has passed"),
        ("retract", "en", "Correction: RED Flood warning (Liuhe and Shiqiao)", "Do not act on it."),
        (None, "en", "Cancelled: RED Flood warning (Liuhe and Shiqiao)", "no longer valid"),
    ],
)
def test_a_cancel_says_which_kind_it_is(cancel: str | None, lang: str, *, subject: str, words: str) -> None:
    made = mail(said(CANCEL, about=ALERT, cancel=cancel), lang=lang, kind="cancel")
    assert made.subject == subject
    assert words in made.text
    assert words in " ".join(Page(made.html).words)
    assert "level I" not in made.html, "a cancelled red warning is not shown as a red one"


def test_whom_a_new_version_no_longer_means_is_told_so() -> None:
    made = mail(said(), kind="area")
    assert made.subject == "范围调整：洪水红色预警（现为柳河镇、石桥镇）"
    assert "不再包括您所在地区" in made.text
    assert "不再包括您所在地区" in made.html


def test_a_cancel_about_nothing_known_still_makes_a_mail() -> None:
    made = mail(said(CANCEL, level=None), kind="cancel")
    assert made.subject == "取消：预警"
    assert "范围" not in made.text


def test_what_a_sender_writes_stays_text() -> None:
    attack = '"><img src=https://x.example/a onerror=alert(1)><script>alert(1)</script>{{ w.source }}'
    info = replace(
        ZH,
        event=attack,
        sender_name=attack,
        description=attack,
        instruction=attack,
        areas=(replace(ZH.areas[0], description=attack),),
    )
    made = mail(flood(info))
    page = Page(made.html)
    assert not {"img", "script"} & set(page.tags)
    assert set(page.addresses) == {ANSWER_LINK}
    assert "{{ w.source }}" in made.text


def test_a_line_break_in_a_value_reaches_no_subject() -> None:
    made = mail(flood(replace(ZH, event="洪\r\nBcc: x@y.example\u2028水")))
    assert made.subject.splitlines() == [made.subject]


def test_a_long_list_of_places_is_cut_in_the_subject_first() -> None:
    places = "、".join(f"{stored_code(str(number))}村" for number in range(100000, 100400))
    made = mail(flood(replace(ZH, areas=(replace(ZH.areas[0], description=places),))))
    assert len(made.subject) < 60
    assert "等地" in made.subject
    assert len(made.text) < 3000


def test_nothing_is_fetched_from_elsewhere() -> None:
    html = mail(said(), asks=False).html
    assert not {"img", "link", "script", "iframe", "object", "video"} & set(Page(html).tags)
    assert "url(" not in html
    assert "@import" not in html


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        (
            "zh.html.j2",
            'layout.first("请这样做", action)',
            'layout.first("请这样做", "")',
            "'warning' does not say action",
        ),
        (
            "zh.html.j2",
            'row("情况", description)',
            'row("情况", description | safe)',
            "'warning' does not say description",
        ),
        ("layout.html.j2", "{{ mark }}</td>", "</td>", "does not say mark"),
        ("layout.html.j2", '<a class="link" href="{{ link }}"', '<a class="link" href="{{ lonk }}"', "lonk"),
        ("zh.j2", "{{ link }}", "", "does not say link"),
        ("zh.j2", "{% macro cancel_title(", "{% macro title(", "the macro 'cancel_title' is missing"),
    ],
)
def test_a_template_that_loses_something_is_found_at_start(
    tmp_path: Path, file: str, old: str, *, new: str, words: str
) -> None:
    shutil.copytree(shipped("templates"), tmp_path, dirs_exist_ok=True)
    path = tmp_path / "email" / file
    assert old in path.read_text("utf-8")
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    assert any(words in problem for problem in templates(tmp_path).check({"email"})), templates(tmp_path).check(
        {"email"}
    )


def test_an_english_only_reader_gets_what_there_is() -> None:
    assert mail(flood(EN), lang="zh").lang == "en"
