"""What people answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warnd.model.sms import Answer, parse_reply


@pytest.mark.parametrize(
    "text",
    ["1", " 1 ", "１", "1。", "1.", "（1）", "【1】", "回复1", "回1", "回复1确认", "回复 1 确认", "1确认", "1收到", "1 好的", "Reply 1",
     "reply 1 to confirm", "REPLY 1", "1 OK", "1!", "\n1\r\n", "“1”"],
)  # fmt: skip
def test_a_digit_names_the_message_it_answers(text: str) -> None:
    assert parse_reply(text) == Answer(digit=1)


@pytest.mark.parametrize("digit", range(1, 10))
def test_every_digit_is_read(digit: int) -> None:
    assert parse_reply(str(digit)) == Answer(digit=digit)


@pytest.mark.parametrize(
    "text",
    ["收到", "已收到", "收到了", "收到！", "收到收到", "收到，好的", "好", "好的", "好的。", "确认", "已确认",
     "ok", "OK", "Ok.", "ＯＫ", "okay",
     "yes", "YES!", "confirm", "Confirmed", "received"],
)  # fmt: skip
def test_a_bare_yes_names_no_message(text: str) -> None:
    assert parse_reply(text) == Answer(bare_ok=True)


@pytest.mark.parametrize("text", ["STOP", "stop", "Stop.", "退订", "TD", "td", "ＴＤ", "回复TD", "unsubscribe"])
def test_a_request_to_stop_is_told_apart(text: str) -> None:
    assert parse_reply(text) == Answer(stop=True)


@pytest.mark.parametrize(
    "text",
    ["", "   ", "。", "11", "10", "0", "01", "1 2", "1,2", "1或2", "12确认", "没收到", "不好", "未确认", "不确认", "not ok", "no",
     "收到吗", "收到？", "1?",
     "你是谁", "水已经进屋了", "please stop calling", "1" * 500, "收到" * 500, "回复确认", "١", "①②", "-1.5"],
)  # fmt: skip
def test_anything_else_is_for_a_human_to_read(text: str) -> None:
    assert parse_reply(text) == Answer()


@given(st.text())
def test_a_reply_never_means_two_things(text: str) -> None:
    answer = parse_reply(text)
    assert (answer.digit is not None) + answer.bare_ok + answer.stop <= 1
    assert answer.digit is None or 1 <= answer.digit <= 9


@given(st.text(alphabet="0123456789 ,.。、", min_size=1))
def test_a_reply_with_two_digits_names_no_message(text: str) -> None:
    if sum(character.isdigit() for character in text) > 1:
        assert parse_reply(text).digit is None
