"""Counting the parts of a text as the networks do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warnd.model.sms import alphabet, part_size, segments, split, units

# 3GPP TS 23.038 §6.2.1, in the order of the table's rows, without the escape.
GSM_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = "\f^{}\\[~]|€"


def test_the_basic_alphabet_is_whole() -> None:
    assert len(GSM_BASIC) == len(set(GSM_BASIC)) == 127
    assert alphabet(GSM_BASIC) == "gsm7"


@pytest.mark.parametrize("character", GSM_BASIC)
def test_a_basic_character_takes_one_unit(character: str) -> None:
    assert (alphabet(character), units(character)) == ("gsm7", 1)


@pytest.mark.parametrize("character", GSM_EXTENSION)
def test_an_extension_character_takes_two_units(character: str) -> None:
    assert (alphabet(character), units(character)) == ("gsm7", 2)


@pytest.mark.parametrize("character", ["洪", "【", "’", "ç", "Á", "`", "\t", "\u00a0", "\U0001f6a8", "\x1b"])
def test_any_other_character_makes_the_text_ucs2(character: str) -> None:
    assert alphabet(f"flood {character}") == "ucs2"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("a" * 459, 3),
        ("a" * 460, 4),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" + "€" * 80, 2),
        ("€" * 152, 2),  # 304 units, but a part of 153 holds only 76 pairs.
        ("€" * 153, 3),
        ("洪" * 70, 1),
        ("洪" * 71, 2),
        ("洪" * 134, 2),
        ("洪" * 135, 3),
        ("洪" * 201, 3),
        ("洪" * 202, 4),
        ("a" * 69 + "洪", 1),
        ("a" * 70 + "洪", 2),
        ("\U0001f6a8" * 35, 1),
        ("\U0001f6a8" * 36, 2),
        ("\U0001f6a8" * 66, 2),  # 132 units, and a part of 67 holds only 33 pairs.
        ("\U0001f6a8" * 67, 3),
    ],
)
def test_parts_at_the_edges(text: str, parts: int) -> None:
    assert segments(text) == parts
    assert len(split(text)) == parts


def test_the_signature_counts() -> None:
    assert segments("【清河预警】" + "洪" * 64) == 1
    assert segments("【清河预警】" + "洪" * 65) == 2


@given(
    st.text(
        alphabet=st.one_of(st.sampled_from(GSM_BASIC + GSM_EXTENSION + "洪\U0001f6a8"), st.characters(codec="utf-8"))
    )
)
def test_parts_join_to_the_text_and_none_is_overfull(text: str) -> None:
    parts = split(text)
    wide = alphabet(text) == "ucs2"
    assert "".join(parts) == text
    assert len(parts) == segments(text)
    if len(parts) > 1:
        assert all(0 < units(part, ucs2=wide) <= part_size(text) for part in parts)
    else:
        assert units(text) <= (70 if wide else 160)
    assert len(parts) * 160 >= units(text)


@given(st.text(alphabet="a洪\U0001f6a8", min_size=60))
def test_no_part_tears_a_surrogate_pair(text: str) -> None:
    if alphabet(text) == "ucs2":
        joined = b"".join(part.encode("utf-16-be") for part in split(text))
        assert joined == text.encode("utf-16-be")
        assert all(part.encode("utf-16-be").decode("utf-16-be") == part for part in split(text))
