"""A title and a text beside it, for browsers and chats: place and action first, marks in the title, within the bytes there are."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.fakes.clock import START
from warnd.channel import Text
from warnd.model.level import Level
from warnd.render import MessageFacts, Templates
from warnd.render.facts import CancelKind, Wording
from warnd.render.note import LIMITS
from warnd.render.words import Purpose
from warnd.resources import shipped

ZH = Wording("zh", 1, "青河县气象台", "洪水", "柳河镇、石桥镇", "上游水库正在泄洪。", "请立即转移到高处")
EN = Wording("en", 2, "Qinghe Weather Office", "Flood", "Liuhe, Shiqiao", "Water rises.", "Go to high ground now.")
FLOOD = MessageFacts(
    level=Level.RED,
    issued_at=START,
    starts_at=START,
    ends_at=START + timedelta(hours=6),
    cancel=None,
    wordings=(ZH, EN),
)
TEMPLATES = Templates(
    shipped("templates"), timezone=ZoneInfo("Asia/Shanghai"), languages=("zh", "en"), signature="青河预警"
)


def _note(
    channel: str, lang: str = "zh", facts: MessageFacts = FLOOD, kind: Purpose = "warning", **marks: bool
) -> Text:
    return TEMPLATES.text(channel, lang, message=facts, kind=kind, drill=marks.pop("drill", False), **marks)


@pytest.mark.parametrize("channel", sorted(LIMITS))
def test_the_text_begins_with_where_and_what_to_do(channel: str) -> None:
    assert _note(channel) == Text(
        "zh",
        "柳河镇、石桥镇。请立即转移到高处。\n青河县气象台7月3日15:30发布，有效至21:30。上游水库正在泄洪。",
        subject="洪水红色预警",
    )
    assert _note(channel, "en") == Text(
        "en",
        "Liuhe, Shiqiao. Go to high ground now.\nQinghe Weather Office, issued 3 Jul 15:30, valid until 21:30. Water rises.",
        subject="RED Flood warning",
    )


def test_the_marks_of_a_drill_and_of_a_repeat_come_first() -> None:
    assert _note("apprise", drill=True, repeated=True).subject == "【演练】（重发）洪水红色预警"


@pytest.mark.parametrize(
    ("cancel", "title", "says"),
    [
        ("lift", "解除：洪水红色预警", "预警已解除，危险已过。"),
        ("retract", "更正：洪水红色预警", "预警系误发，请勿据此行动。"),
        (None, "取消：洪水红色预警", "预警已取消，不再有效。"),
    ],
)
def test_a_lift_a_retraction_and_a_neutral_cancel_are_told_apart(cancel: CancelKind, title: str, says: str) -> None:
    made = _note("push", facts=replace(FLOOD, cancel=cancel), kind="cancel")
    assert made.subject == title
    assert says in made.text


def test_who_is_outside_the_new_area_is_told_so() -> None:
    made = _note("push", kind="area")
    assert made.subject == "洪水红色预警：范围已调整"
    assert made.text.startswith("预警不再包括您所在地区。现范围：柳河镇、石桥镇。")


@pytest.mark.parametrize("channel", sorted(LIMITS))
def test_long_words_stay_within_the_bytes_and_the_text_says_that_the_action_was_cut(channel: str) -> None:
    long = replace(
        ZH, area="、".join(["柳河镇"] * 300), instruction="请立即转移到高处。" * 200, description="泄洪。" * 400
    )
    made = _note(channel, facts=replace(FLOOD, wordings=(long,)))
    assert len(made.text.encode()) <= LIMITS[channel]
    assert "等地。请立即转移到高处。" in made.text
    assert "（有删节）" in made.text


def test_a_long_description_goes_before_the_action_is_touched() -> None:
    long = replace(ZH, description="泄洪。" * 400)
    made = _note("push", facts=replace(FLOOD, wordings=(long,)))
    assert "请立即转移到高处。" in made.text
    assert "有删节" not in made.text
    assert LIMITS["push"] - 20 < len(made.text.encode()) <= LIMITS["push"]
