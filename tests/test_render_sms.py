"""What text messages say, and what they may cost."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.flood import ALERT, CANCEL, EN, EXPIRES, SENT, ZH, flood, said, templates
from warnd.channel import Text
from warnd.model.cap import Area
from warnd.model.level import Level
from warnd.model.sms import segments, split
from warnd.render import MessageFacts, Purpose, with_tail

HOUR = timedelta(hours=1)


def text(
    message: MessageFacts | None = None,
    lang: str = "zh",
    *,
    kind: Purpose = "warning",
    drill: bool = False,
    repeated: bool = False,
    digit: int | None = None,
    signature: str = "清河预警",
) -> Text:
    made = templates(signature=signature)
    return made.text(
        "sms", lang, message=message or said(), kind=kind, drill=drill, repeated=repeated, reply_digit=digit
    )


def in_order(whole: str, *parts: str) -> None:
    """Assert that all the parts stand in the text, each after the one before."""
    place = 0
    for part in parts:
        assert part in whole[place:], f"{part!r} is not after what comes before it in {whole!r}"
        place = whole.index(part, place) + len(part)


def test_a_chinese_warning_says_everything_in_order() -> None:
    whole = text().text
    in_order(whole, "【清河预警】", "洪水红色预警", "柳河镇、石桥镇", "沿河群众立即转移到高处。")
    in_order(whole, "清河县防汛办", "7月3日15:30发布", "有效至21:00")
    assert "遇险请拨打119。" in whole
    assert "预计今晚20:00洪峰到达。" in whole


def test_an_english_warning_says_everything_in_order() -> None:
    whole = text(lang="en", signature="").text
    in_order(whole, "RED Flood warning", "Liuhe and Shiqiao", "Move to high ground now.")
    in_order(whole, "Qinghe Flood Office", "issued 3 Jul 15:30", "valid until 21:00")
    assert "In danger call 119." in whole


@pytest.mark.parametrize("drill", [False, True])
@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize(
    ("lang", "signature", "needed"),
    [
        ("zh", "清河预警", ("洪水红色预警", "柳河镇、石桥镇", "沿河群众立即转移到高处。")),
        ("en", "", ("RED Flood warning", "Liuhe and Shiqiao", "Move to high ground now.")),
    ],
)
def test_the_first_part_alone_says_level_place_and_action(
    lang: str, signature: str, needed: tuple[str, ...], *, drill: bool, repeated: bool
) -> None:
    first = split(text(lang=lang, signature=signature, drill=drill, repeated=repeated, digit=9).text)[0]
    in_order(first, *needed)


@pytest.mark.parametrize("level", Level)
def test_the_level_is_always_said(level: Level) -> None:
    assert level.colour_zh in text(said(level=level)).text
    assert level.word.upper() in text(said(level=level), "en").text


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        ("洪水", "洪水红色预警"),
        ("洪水预警", "洪水红色预警"),
        ("洪水橙色预警", "洪水红色预警"),
        ("洪水红色预警信号", "洪水红色预警"),
        ("洪水（Ⅱ级）预警", "洪水红色预警"),
        ("红色预警", "红色预警"),
    ],
)
def test_the_level_that_counts_replaces_the_one_in_the_event(event: str, shown: str) -> None:
    whole = text(flood(replace(ZH, event=event))).text
    assert shown in whole
    assert "橙色" not in whole
    assert whole.count("红色") == 1


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        ("Flood", "RED Flood warning"),
        ("Flood Warning", "RED Flood Warning"),
        ("Orange Flood Warning", "RED Flood Warning"),
        ("Flood Watch", "RED Flood Watch"),
    ],
)
def test_the_english_event_is_not_called_a_warning_twice(event: str, shown: str) -> None:
    assert f"{shown}:" in text(flood(replace(EN, event=event)), "en").text


@pytest.mark.parametrize(
    ("drill", "repeated", "start"),
    [
        (False, False, "【清河预警】洪水"),
        (True, False, "【清河预警】【演练】洪水"),
        (False, True, "【清河预警】（重发）洪水"),
        (True, True, "【清河预警】【演练】（重发）洪水"),
    ],
)
def test_marks_stand_right_after_the_signature(start: str, *, drill: bool, repeated: bool) -> None:
    assert text(drill=drill, repeated=repeated).text.startswith(start)


def test_without_a_signature_the_drill_mark_is_first() -> None:
    assert text(signature="", drill=True).text.startswith("【演练】")
    assert text(signature="", lang="en", drill=True).text.startswith("[EXERCISE] ")


@pytest.mark.parametrize("kind", ["warning", "cancel", "area"])
@pytest.mark.parametrize("digit", [1, 9])
def test_a_text_that_asks_ends_with_the_question_and_nothing_after_it(kind: Purpose, digit: int) -> None:
    assert text(kind=kind, digit=digit).text.endswith(f"。回复{digit}确认")
    assert text(kind=kind, lang="en", digit=digit).text.endswith(f". Reply {digit} to confirm")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_public_text_asks_nothing(lang: str) -> None:
    public = text(lang=lang, signature="清河预警" if lang == "zh" else "")
    assert "回复" not in public.text
    assert "Reply" not in public.text
    assert public.segments <= 3


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_tail_added_later_gives_the_same_text(lang: str) -> None:
    assert with_tail(text(lang=lang), 4) == text(lang=lang, digit=4)


def test_segments_are_those_of_the_whole_text() -> None:
    for made in (text(), text(digit=7), text(lang="en", digit=7), text(lang="en", signature="")):
        assert made.segments == segments(made.text) == len(split(made.text))


def test_a_description_is_cut_by_sentences_before_a_fourth_part() -> None:
    long = text(flood(replace(ZH, description="上游水库持续加大泄洪流量。" * 40)), digit=1)
    assert long.segments == 3
    assert long.text.endswith("上游水库持续加大泄洪流量。回复1确认")


def test_a_long_action_is_kept_whole_up_to_six_parts() -> None:
    action = "".join(f"第{number}组群众向东转移。" for number in range(1, 20))
    made = text(flood(replace(ZH, instruction=action)))
    assert "第19组群众向东转移。" in made.text
    assert 3 < made.segments <= 6
    assert "有删节" not in made.text


def test_an_action_too_long_for_six_parts_says_that_it_was_cut() -> None:
    made = text(flood(replace(ZH, instruction="各村群众按预案向东转移。" * 100)), digit=1)
    assert made.segments <= 6
    assert made.text.endswith("（有删节）回复1确认")


def test_a_long_list_of_places_is_cut_in_the_first_part_and_whole_after_it() -> None:
    places = "、".join(f"柳河镇第{number}村" for number in range(1, 12))
    whole = text(flood(replace(ZH, areas=(Area(description=places),)))).text
    first = split(whole)[0]
    in_order(first, "柳河镇第1村", "等地。", "沿河群众立即转移到高处。")
    assert f"范围：{places}。" in whole


def test_the_areas_of_infos_that_repeat_a_language_are_all_named() -> None:
    other = replace(ZH, areas=(Area(description="青山乡"), Area(description="石桥镇")))
    assert (
        "柳河镇、石桥镇、青山乡"
        in text(flood(replace(ZH, areas=(Area(description="柳河镇"), Area(description="石桥镇"))), other)).text
    )


@pytest.mark.parametrize(
    ("onset", "expires", "zh", "en"),
    [
        (SENT, EXPIRES, "有效至21:00。", "valid until 21:00."),
        (None, EXPIRES, "有效至21:00。", "valid until 21:00."),
        (SENT - HOUR, EXPIRES, "有效至21:00。", "valid until 21:00."),
        (SENT, EXPIRES + 12 * HOUR, "有效至7月4日09:00。", "valid until 4 Jul 09:00."),
        (SENT + HOUR, EXPIRES, "有效期7月3日16:30至21:00。", "valid 3 Jul 16:30 to 21:00."),
        (SENT + HOUR, EXPIRES + 12 * HOUR, "有效期7月3日16:30至7月4日09:00。", "valid 3 Jul 16:30 to 4 Jul 09:00."),
    ],
)
def test_the_window_says_its_end_and_a_start_that_is_still_to_come(
    onset: datetime | None, expires: datetime, zh: str, en: str
) -> None:
    message = flood(*(replace(each, onset=onset, effective=None, expires=expires) for each in (ZH, EN)))
    assert zh in text(message).text
    assert en in text(message, "en").text


CANCELS: dict[Literal["lift", "retract"] | None, dict[str, str]] = {
    "lift": {"zh": "已解除，危险已过", "en": "is over: the danger has passed"},
    "retract": {"zh": "系误发，请勿据此行动", "en": "was sent by mistake. Do not act on it"},
    None: {"zh": "已取消，不再有效", "en": "is cancelled and no longer valid"},
}


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("cancel", CANCELS)
def test_a_cancel_without_words_says_what_is_cancelled_and_why(
    cancel: Literal["lift", "retract"] | None, lang: str
) -> None:
    """A Cancel often has no info at all; people must still know which warning is meant."""
    whole = text(said(CANCEL, cancel=cancel, about=ALERT), lang, kind="cancel").text
    assert CANCELS[cancel][lang] in whole
    others = [words[lang] for kind, words in CANCELS.items() if kind != cancel]
    assert not any(other in whole for other in others)
    in_order(whole, *({"zh": ("洪水红色预警", "柳河镇、石桥镇"), "en": ("RED Flood warning", "Liuhe")}[lang]))
    assert {"zh": "7月3日17:30", "en": "3 Jul 17:30"}[lang] in whole


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_cancel_of_something_unknown_can_still_be_said(lang: str) -> None:
    whole = text(said(CANCEL, level=None), lang, kind="cancel").text
    assert CANCELS[None][lang] in whole


def test_a_cancel_says_what_it_adds_itself() -> None:
    own = replace(CANCEL, infos=(replace(ZH, description="水位已回落。", instruction="请有序返回。"),))
    assert "请有序返回。水位已回落。" in text(said(own, cancel="lift", about=ALERT), kind="cancel").text


@pytest.mark.parametrize(("lang", "words"), [("zh", "不再包括您所在地区"), ("en", "no longer covers your area")])
def test_an_area_notice_gives_no_orders_to_those_it_leaves(lang: str, words: str) -> None:
    whole = text(lang=lang, kind="area").text
    assert words in whole
    assert "转移" not in whole
    assert "high ground" not in whole


def test_a_reader_of_another_language_gets_the_first_that_the_node_and_the_message_share() -> None:
    assert text(lang="bo").lang == "zh"
    assert text(flood(EN), "zh").lang == "en"
    assert text(lang="en-GB").lang == "en"


def test_typographic_quotes_do_not_double_the_price_of_an_english_text() -> None:
    plain = text(flood(EN), "en", signature="")
    curly = text(flood(replace(EN, description="The “crest” — it’s expected at 20:00…")), "en", signature="")
    assert plain.segments == curly.segments
    assert max(len(part) for part in split(curly.text)) > 70


def test_a_description_that_would_force_the_wide_alphabet_is_left_out() -> None:
    wide = text(flood(replace(EN, description="The river 清河 is rising.")), "en", signature="")
    assert "清河" not in wide.text


values = st.text(
    alphabet=st.sampled_from("洪水河。，、；.,;! \n【】[]回复1确认Reply 1 to confirma\U0001f6a8\u202e\u200b"),
    max_size=400,
)


@given(
    event=values,
    area=values,
    action=values,
    description=values,
    drill=st.booleans(),
    lang=st.sampled_from(["zh", "en"]),
)
def test_no_text_from_outside_moves_our_marks(
    event: str, area: str, action: str, description: str, lang: str, *, drill: bool
) -> None:
    base = ZH if lang == "zh" else EN
    told = replace(base, event=event, areas=(Area(description=area),), instruction=action, description=description)
    made = text(flood(told), lang, drill=drill, digit=3)
    mark = {"zh": "【演练】", "en": "[EXERCISE] "}[lang] if drill else ""
    tail = {"zh": "回复3确认", "en": " Reply 3 to confirm"}[lang]
    assert made.text.startswith(f"【清河预警】{mark}")
    assert made.text.endswith(tail)
    inside = made.text.removeprefix(f"【清河预警】{mark}").removesuffix(tail)
    assert not set("【】[]\n\u202e\u200b") & set(inside)
    assert "回复1确认" not in inside
    assert "Reply 1 to confirm" not in inside
    assert made.segments == segments(made.text) <= 8
    assert {"zh": "红色预警", "en": "RED"}[lang] in inside
