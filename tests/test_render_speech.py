"""What loudspeakers say."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.flood import ALERT, CANCEL, EN, ZH, flood, said, templates
from warnd.model.cap import Area
from warnd.render import MessageFacts, Purpose
from warnd.render.spoken import spell


def speech(message: MessageFacts | None = None, kind: Purpose = "warning", *, drill: bool = False) -> dict[str, str]:
    return {text.lang: text.text for text in templates().speech(message or said(), kind, drill=drill)}


def in_order(whole: str, *parts: str) -> None:
    place = 0
    for part in parts:
        assert part in whole[place:], f"{part!r} is not after what comes before it in {whole!r}"
        place = whole.index(part, place) + len(part)


def test_chinese_speech_goes_from_source_to_action_with_its_times_spelt() -> None:
    in_order(
        speech()["zh"],
        "清河县防汛办",
        "七月三日十五点三十分发布",
        "洪水红色预警",
        "红色",
        "柳河镇、石桥镇",
        "沿河群众立即转移到高处。",
        "拨打幺幺九。",
        "七月三日十五点三十分到二十一点",
        "一点五米",
    )


def test_english_speech_goes_from_source_to_action_with_its_times_spelt() -> None:
    in_order(
        speech()["en"],
        "Qinghe Flood Office",
        "fifteen thirty on the third of July",
        "RED Flood warning",
        "RED",
        "Liuhe and Shiqiao",
        "Move to high ground now.",
        "call one one nine.",
        "fifteen thirty to twenty-one hundred",
        "one point five metres",
    )


def test_languages_are_spoken_in_the_nodes_order() -> None:
    spoken = templates(languages=("en", "zh")).speech(flood(ZH, EN), "warning", drill=False)
    assert [text.lang for text in spoken] == ["en", "zh"]


def test_only_languages_of_the_message_are_spoken() -> None:
    assert list(speech(flood(EN))) == ["en"]


def test_a_drill_is_called_one_before_and_after_its_words() -> None:
    drill = speech(drill=True)
    assert drill["zh"].startswith("演练，演练，这是演练。")
    assert drill["zh"].endswith("这是演练。")
    assert drill["en"].startswith("This is an exercise. This is an exercise. ")
    assert drill["en"].endswith("This is an exercise.")


def test_a_real_warning_speaks_of_no_drill() -> None:
    assert not any("演练" in text or "exercise" in text for text in speech().values())


@pytest.mark.parametrize(
    "denial", ["这不是演练。", "本次并非演练！", "This is not a drill.", "THIS IS NOT AN EXERCISE", "this is no drill"]
)
def test_a_drill_never_says_that_it_is_none(denial: str) -> None:
    """In Hawaii on 13 January 2018 the exercise's own recording did, and people on duty believed it."""
    told = flood(replace(ZH, instruction=f"{denial}请转移。"), replace(EN, instruction=f"{denial} Move."))
    for text in speech(told, drill=True).values():
        assert denial.strip("。！.").lower() not in text.lower()
    assert denial.strip("。！.") in speech(told)["zh"]


def test_addresses_of_pages_are_not_read_out() -> None:
    told = replace(
        ZH, instruction="详见https://example.org/a?b=1。请转移。", description="www.example.org 邮箱a.b@example.org"
    )
    text = speech(flood(told))["zh"]
    assert "example" not in text
    assert "请转移。" in text


@pytest.mark.parametrize(
    ("cancel", "zh", "en"),
    [
        ("lift", "已解除，危险已过", "is over. The danger has passed"),
        ("retract", "系误发，请勿据此行动", "was sent by mistake. Do not act on it"),
        (None, "已取消，不再有效", "is cancelled"),
    ],
)
def test_a_cancel_is_said_in_every_language_of_what_it_cancels(cancel: str | None, zh: str, en: str) -> None:
    spoken = speech(said(CANCEL, cancel=cancel, about=ALERT), "cancel")
    assert zh in spoken["zh"]
    assert "洪水红色预警" in spoken["zh"]
    assert en in spoken["en"]


def test_a_cancel_of_something_unknown_is_said_in_the_first_language() -> None:
    assert list(speech(said(CANCEL, level=None), "cancel")) == ["zh"]


def test_an_area_notice_gives_no_orders() -> None:
    assert "不再包括本地区" in speech(kind="area")["zh"]
    assert "转移" not in speech(kind="area")["zh"]


def test_a_long_description_is_left_out_after_a_thousand_characters() -> None:
    text = speech(flood(replace(ZH, description="上游水库持续加大泄洪流量。" * 200)))["zh"]
    assert 900 < len(text) <= 1_000
    assert text.endswith("上游水库持续加大泄洪流量。")


def test_a_long_action_is_read_whole_where_the_description_is_dropped() -> None:
    action = "".join(f"第{number}组群众向东转移。" for number in range(1, 90))
    text = speech(flood(replace(ZH, instruction=action)))["zh"]
    assert "第八十九组群众向东转移。" in text
    assert "洪峰" not in text


def test_an_action_that_no_command_could_carry_says_that_it_was_cut() -> None:
    text = speech(flood(replace(ZH, instruction="各村群众按预案向东转移。" * 400)))["zh"]
    assert "以下内容从略。" in text
    assert 1_400 < len(text) <= 1_500


@given(lengths=st.tuples(*[st.integers(0, 6_000)] * 4))
def test_two_languages_always_fit_one_signed_command(lengths: tuple[int, int, int, int]) -> None:
    """16 KiB hold 12,288 bytes in base64; header, signature and the other fields get 3,000 of them."""
    action, description, places, event = ("洪水来了。" * (length // 5) for length in lengths)
    zh = replace(ZH, instruction=action, description=description, event=event, areas=(Area(description=places),))
    spoken = templates().speech(flood(zh, replace(zh, language="en")), "warning", drill=True)
    assert sum(len(text.text.encode()) for text in spoken) <= 9_200


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("15:30", "十五点三十分"),
        ("08:05", "八点零五分"),
        ("2:00", "两点整"),
        ("20：00", "二十点整"),
        ("0:15", "零点十五分"),
        ("2026年7月3日15时", "二零二六年七月三日十五时"),
        ("2026-07-03", "二零二六年七月三日"),
        ("120毫米", "一百二十毫米"),
        ("100-150mm", "一百到一百五十毫米"),
        ("3～5级", "三到五级"),
        ("1.5米", "一点五米"),
        ("3200m³/s", "三千二百立方米每秒"),
        ("1,200人", "一千二百人"),
        ("10006户", "一万零六户"),
        ("100010000", "一亿零一万"),
        ("20304", "二万零三百零四"),
        ("12", "十二"),
        ("110", "一百一十"),
        ("0", "零"),
        ("2小时", "两小时"),
        ("2日", "二日"),
        ("12小时", "十二小时"),
        ("30%", "百分之三十"),
        ("-5℃", "负五摄氏度"),
        ("拨打119或110", "拨打幺幺九或幺幺零"),
        ("电话：0454-8888123", "电话：零四五四八八八八幺二三"),
        ("13800138000", "幺三八零零幺三八零零零"),
        ("G318国道", "G三幺八国道"),
        ("Ⅰ级", "一级"),
        ("①转移②断电", "一、转移二、断电"),
        ("降雨120毫米", "降雨一百二十毫米"),
    ],
)
def test_chinese_is_spelt_for_the_ear(written: str, spoken: str) -> None:
    assert spell(written, lang="zh") == spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("15:30", "fifteen thirty"),
        ("08:05", "eight oh five"),
        ("20:00", "twenty hundred"),
        ("00:00", "midnight"),
        ("12:00", "noon"),
        ("3:30 pm", "three thirty p.m."),
        ("3 PM", "three p.m."),
        ("3 July", "the third of July"),
        ("21 Jul 2026", "the twenty-first of July twenty twenty-six"),
        ("July 12, 2026", "July the twelfth twenty twenty-six"),
        ("2026-07-03", "the third of July twenty twenty-six"),
        ("1.5 m", "one point five metres"),
        ("3,200 m3/s", "three thousand two hundred cubic metres per second"),
        ("100-150mm", "one hundred to one hundred and fifty millimetres"),
        ("1005", "one thousand and five"),
        ("30%", "thirty percent"),
        ("-5°C", "minus five degrees Celsius"),
        ("call 119", "call one one nine"),
        ("2nd floor", "second floor"),
        ("40th", "fortieth"),
        ("G318", "G three one eight"),
        ("0454-8888123", "zero four five four eight eight eight eight one two three"),
        ("1,000,000 people", "one million people"),
    ],
)
def test_english_is_spelt_for_the_ear(written: str, spoken: str) -> None:
    assert spell(written, lang="en") == spoken


@given(
    st.text(alphabet=st.sampled_from("0123456789:：.,-~%/ 年月日时分mkhJulycallAM拨打①"), max_size=60),
    st.sampled_from(["zh", "en"]),
)
def test_no_digit_is_left_for_a_voice_to_guess_at(text: str, lang: str) -> None:
    assert not set("0123456789") & set(spell(text, lang=lang))


def test_a_language_without_rules_keeps_its_digits() -> None:
    assert spell("15:30 see https://example.org/x", lang="bo") == "15:30 see"
