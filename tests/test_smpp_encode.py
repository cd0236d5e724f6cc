"""Texts become parts that a phone joins to the same text, and times that a message centre reads as meant."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms.smpp.encode import (
    TooLongError,
    gsm7_octets,
    gsm7_text,
    parts_of,
    text_of,
    validity,
    without_header,
)
from warnd.model.sms import alphabet, segments

GSM7 = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡AZÄÖÑÜ§¿azäöñüà\f^{}\\[~]|€"
OCTETS_MAX = {0: 153 + 6, 8: 140}
NOW = datetime(2026, 7, 3, 7, 30, 12, tzinfo=UTC)


def joined(text: str, *, reference: int = 7) -> str:
    """Join the parts as a phone does: by number, never mind their order."""
    said: dict[int, str] = {}
    for part in reversed(parts_of(text, reference=reference, gsm_data_coding=0)):
        if part.count > 1:
            assert part.body[:6] == bytes([5, 0, 3, reference, part.count, part.number])
            assert part.esm_class == 0x40
            assert len(part.body) <= OCTETS_MAX[part.data_coding]
        body = without_header(part.body, part.esm_class)
        said[part.number] = text_of(body, data_coding=part.data_coding, gsm_data_coding=0)
    assert sorted(said) == list(range(1, len(said) + 1))
    return "".join(said[number] for number in sorted(said))


@given(text=st.text(GSM7, min_size=1, max_size=700), reference=st.integers(0, 255))
def test_a_text_of_the_gsm_alphabet_is_joined_to_the_same_text(text: str, reference: int) -> None:
    assert joined(text, reference=reference) == text


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=400))
def test_any_text_is_joined_to_the_same_text(text: str) -> None:
    assert joined(text) == text


@given(text=st.text(st.sampled_from([*GSM7, "警", "报", "🚨"]), min_size=1, max_size=400))
def test_it_takes_the_parts_that_were_counted(text: str) -> None:
    parts = parts_of(text, reference=0, gsm_data_coding=0)
    assert len(parts) == segments(text)
    assert {part.data_coding for part in parts} == {0 if alphabet(text) == "gsm7" else 8}


def test_the_message_centres_own_name_for_its_alphabet_is_used() -> None:
    assert parts_of("Flood", reference=0, gsm_data_coding=241)[0].data_coding == 241
    assert text_of(b"\x00\x02", data_coding=241, gsm_data_coding=241) == "@$"


def test_more_parts_than_can_be_counted_are_refused() -> None:
    with pytest.raises(TooLongError, match="256 parts"):
        parts_of("警" * (67 * 255 + 1), reference=0, gsm_data_coding=0)


@given(octets=st.binary(max_size=200), coding=st.integers(0, 255))
def test_whatever_a_phone_sends_is_read_as_some_text(octets: bytes, coding: int) -> None:
    assert isinstance(text_of(octets, data_coding=coding, gsm_data_coding=0), str)
    assert len(without_header(octets, 0x40)) <= len(octets)


def test_the_alphabet_is_that_of_the_standard() -> None:
    """Places from 3GPP TS 23.038 §6.2.1, by hand."""
    assert gsm7_octets("@ΔΦ ¡A§aà") == bytes([0x00, 0x10, 0x12, 0x20, 0x40, 0x41, 0x5F, 0x61, 0x7F])
    assert gsm7_octets("€[") == b"\x1b\x65\x1b\x3c"
    assert gsm7_text(b"\x1b\x65\x1b\x41\xff\x1b") == "€A? "


@pytest.mark.parametrize(
    ("life", "how", "told"),
    [
        (timedelta(hours=1), "relative", "000000010000000R"),
        (timedelta(days=2, hours=3, minutes=4, seconds=5), "relative", "000002030405000R"),
        (timedelta(days=365), "relative", "000030000000000R"),
        (timedelta(seconds=-5), "relative", "000000000001000R"),
        (timedelta(hours=1), "absolute", "260703083012000+"),
        (timedelta(hours=1), "none", ""),
    ],
)
def test_the_life_of_a_text_is_told_as_section_7_1_1_says(life: timedelta, how: str, told: str) -> None:
    assert validity(NOW + life, now=NOW, how=how) == told


@given(seconds=st.integers(-10, 10**8), how=st.sampled_from(["relative", "absolute"]))
def test_every_life_is_told_in_sixteen_characters(seconds: int, how: str) -> None:
    assert re.fullmatch(r"\d{15}[R+]", validity(NOW + timedelta(seconds=seconds), now=NOW, how=how))
