"""Every reason code that a PUBACK can carry, walked whole (MQTT 5.0 §3.4.2.1)."""

import pytest
from structlog.testing import capture_logs

from channels.mqtt.puback import outcome_of
from warnd.channel import Accepted, Failed

STANDARD = {
    0x00: ("accepted", None),
    0x10: ("accepted", None),
    0x80: ("transient", None),
    0x83: ("transient", None),
    0x87: ("transient", None),
    0x90: ("permanent", None),
    0x91: ("transient", None),
    0x97: ("throttled", 5.0),
    0x99: ("permanent", None),
}


@pytest.mark.parametrize("code", STANDARD)
def test_each_code_of_the_standard_has_its_meaning(code: int) -> None:
    word, wait_s = STANDARD[code]
    outcome = outcome_of(code)
    if word == "accepted":
        assert isinstance(outcome, Accepted)
    else:
        assert isinstance(outcome, Failed)
        assert (outcome.retry, outcome.retry_after_s) == (word, wait_s)
        assert outcome.reason.startswith(f"{code:#04x} ")


@pytest.mark.parametrize("code", sorted(set(range(256)) - STANDARD.keys()))
def test_any_other_code_is_transient_and_loud(code: int) -> None:
    with capture_logs() as logs:
        outcome = outcome_of(code)
    assert isinstance(outcome, Failed)
    assert outcome.retry == "transient"
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("puback_unknown", "error")]


def test_a_region_that_nobody_listens_to_yet_is_accepted_with_the_brokers_word_for_it() -> None:
    assert outcome_of(0x10) == Accepted("0x10 no matching subscribers")
