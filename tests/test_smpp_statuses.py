"""The table of command_status, held to the standard's own list and to the library's."""

import smpp34

from channels.sms.smpp.statuses import STATUSES, fate_of

# SMPP 3.4 Issue 1.2 §5.1.3, table 5-2, without what is reserved and without ESME_ROK.
PUBLISHED = {
    *range(0x01, 0x09),
    *range(0x0A, 0x10),
    *(0x11, 0x13, 0x14, 0x15, 0x33, 0x34, 0x40, 0x42, 0x43, 0x44, 0x45, 0x48, 0x49, 0x50, 0x51, 0x53, 0x54, 0x55, 0x58),
    *range(0x61, 0x68),
    *range(0xC0, 0xC5),
    *(0xFE, 0xFF),
}


def test_the_table_has_every_published_code_and_no_other() -> None:
    assert set(STATUSES) == PUBLISHED


def test_the_library_calls_them_by_the_same_names() -> None:
    theirs = {getattr(smpp34, name): name for name in dir(smpp34) if name.startswith("ESME_") and name != "ESME_ROK"}
    assert theirs
    assert {code: STATUSES[code][0] for code in theirs} == theirs


def test_only_a_bad_number_is_for_good_and_only_our_pace_is_throttled() -> None:
    assert {code for code in range(0x500) if fate_of(code) == "permanent"} == {0x0B}
    assert {code for code in range(0x500) if fate_of(code) == "throttled"} == {0x14, 0x58}
