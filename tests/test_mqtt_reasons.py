"""Every reason code of MQTT 5 in every packet in which a broker may send it, walked whole (MQTT 5.0 §2.4)."""

import pytest

from channels.mqtt.reasons import REASONS, Packet, reason

# The tables of §3.2.2.2, §3.4.2.1, §3.9.3 and §3.14.2.1 (without what only a client sends), by what each code means for a try.
CONNACK = {
    "accepted": [0x00],
    "throttled": [0x89, 0x97, 0x9F],
    "transient": [
        *(0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x8A, 0x8C, 0x90, 0x95, 0x99, 0x9A, 0x9B, 0x9C, 0x9D)
    ],
}
PUBACK = {
    "accepted": [0x00, 0x10],
    "throttled": [0x97],
    "transient": [0x80, 0x83, 0x87, 0x91],
    "permanent": [0x90, 0x99],
}
SUBACK = {
    "accepted": [0x00, 0x01, 0x02],
    "throttled": [0x97],
    "transient": [0x80, 0x83, 0x87, 0x8F, 0x91, 0x9E, 0xA1, 0xA2],
}
DISCONNECT = {
    "ambiguous": [
        *(0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98),
        *(0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2),
    ]
}
EXPECTED = {
    (packet, code): meaning
    for packet, table in zip(Packet, (CONNACK, PUBACK, SUBACK, DISCONNECT), strict=True)
    for meaning, codes in table.items()
    for code in codes
}


def test_the_table_has_every_code_of_the_standard_and_no_other() -> None:
    assert {place: told.meaning for place, told in REASONS.items()} == EXPECTED


@pytest.mark.parametrize("packet", list(Packet))
def test_each_failure_says_what_to_do_unless_it_mends_itself(packet: Packet) -> None:
    silent = {code for (where, code), told in REASONS.items() if where is packet and code >= 0x80 and not told.fix}
    assert silent <= {0x91, 0x99}, "a packet id in use and a payload that was never marked as text are ours to mend"


@pytest.mark.parametrize("packet", list(Packet))
def test_a_code_that_the_standard_does_not_have_there_is_never_taken_for_success(packet: Packet) -> None:
    for code in sorted(set(range(256)) - {code for where, code in REASONS if where is packet}):
        told = reason(packet, code)
        assert told.meaning == ("ambiguous" if packet is Packet.DISCONNECT else "transient")
        assert told.fix
