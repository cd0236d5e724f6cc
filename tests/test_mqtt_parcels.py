"""What a try becomes on the wire: topic, life, signature, and the refusals before anything leaves."""

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from channels.mqtt.fate import Parcel
from channels.mqtt.options import LineOptions
from channels.mqtt.parcels import Post
from tests.fakes.loudspeaker import DRILL_KEY, LIVE_KEY, NOW, TRUST
from tests.fakes.message import red_flood
from warnd.channel import Failed, Outgoing, Text
from warnd.model.level import Level
from warnd.model.loudspeaker import DRILL_ROOT, LIVE_ROOT, Command, Speech, Status, Verb, fingerprint, verify_command

MESSAGE = red_flood(NOW, name="flood-1", lives=timedelta(hours=2), area="河边村", repeat=3, every_s=600, volume=90)
TEXTS = (Text("zh-CN", "请立即转移。"), Text("en", "Move to high ground now."))
REGION = Outgoing("a-1", MESSAGE, None, "region:510181", TEXTS)


def _post(root: str = LIVE_ROOT) -> Post:
    key = LIVE_KEY if root == LIVE_ROOT else DRILL_KEY
    return Post(LineOptions(root, "127.0.0.1", 1883, "warnd", key), lambda: NOW, random.Random(1))


def _sent(outgoing: Outgoing, post: Post | None = None) -> tuple[Parcel, Command]:
    parcel = (post or _post()).parcel(outgoing)
    assert isinstance(parcel, Parcel), parcel
    return parcel, verify_command(parcel.payload, TRUST)


def test_a_region_is_commanded_on_the_topic_of_its_padded_code_and_chain_until_the_message_expires() -> None:
    parcel, command = _sent(REGION)
    assert parcel.topic == "warnd/v1/region/510181000000/command/flood-1"
    assert parcel.retain
    assert parcel.expiry_s == 7200
    assert command.to == "region:510181000000"


def test_one_terminal_is_commanded_on_its_own_topic_and_nothing_stays_there() -> None:
    parcel, command = _sent(replace(REGION, address="terminal:T-0001", regions=("510181102007",)))
    assert parcel.topic == "warnd/v1/terminal/T-0001/command"
    assert not parcel.retain
    assert (command.to, command.regions) == ("terminal:T-0001", ("510181102007",))


def test_a_command_says_all_that_the_message_says() -> None:
    _, command = _sent(REGION)
    expected = Command(
        root=LIVE_ROOT,
        to="region:510181000000",
        verb=Verb.PLAY,
        nonce=command.nonce,
        issued_at=NOW,
        status=Status.ACTUAL,
        message_id="flood-1",
        chain_id="flood-1",
        seq=1,
        level=Level.RED,
        event="洪水",
        area="河边村",
        headline="洪水红色预警",
        speech=(Speech("zh-CN", "请立即转移。"), Speech("en", "Move to high ground now.")),
        repeat=3,
        every_s=600,
        volume=90,
        tone="warning",
        expires_at=NOW + timedelta(hours=2),
        ttl_s=7200,
    )
    assert command == expected


def test_regions_go_out_as_unpadded_prefixes_and_other_codes_as_they_stand() -> None:
    _, command = _sent(replace(REGION, regions=("510181000000", "51018110200", "US-CO")))
    assert command.regions == ("510181", "51018110200", "US-CO")


def test_a_repeat_has_a_fresh_nonce_and_is_otherwise_the_same_command() -> None:
    post = _post()
    _, first = _sent(REGION, post)
    _, second = _sent(replace(REGION, address="terminal:T-1", attempt="a-2", repeated=True), post)
    assert first.nonce != second.nonce
    assert fingerprint(first) == fingerprint(second)


def test_a_stop_carries_the_cancels_own_id_and_place_in_the_chain() -> None:
    cancel = replace(MESSAGE, id="flood-2", seq=2, kind="cancel", verb="stop", level=None)
    parcel, command = _sent(replace(REGION, message=cancel))
    assert parcel.topic.endswith("/command/flood-1")
    assert (command.verb, command.message_id, command.chain_id, command.seq) == (Verb.STOP, "flood-2", "flood-1", 2)
    assert command.tone is None


def test_a_drill_is_signed_under_the_root_of_drills_and_sounds_another_tone() -> None:
    drill = replace(MESSAGE, drill=True, status="Exercise")
    parcel, command = _sent(replace(REGION, message=drill), _post(DRILL_ROOT))
    assert parcel.topic.startswith("warnd-drill/v1/")
    assert (command.root, command.status, command.tone) == (DRILL_ROOT, Status.EXERCISE, "exercise")


def test_the_life_of_a_part_of_a_second_is_a_whole_one() -> None:
    parcel, _ = _sent(replace(REGION, message=replace(MESSAGE, expires_at=NOW + timedelta(milliseconds=1))))
    assert parcel.expiry_s == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"expires_at": NOW}, "expired"),
        ({"status": "Exercise"}, "does not belong under"),
        ({"drill": True}, "does not belong under"),
        ({"drill": True, "status": "Exercise"}, "does not belong under"),
        ({"status": "Draft"}, "Draft"),
        ({"repeat": 0}, "repeat"),
        ({"id": "no id/at all"}, "message_id"),
    ],
)
def test_what_no_terminal_may_or_could_take_never_leaves(change: dict[str, Any], reason: str) -> None:
    refused = _post().parcel(replace(REGION, message=replace(MESSAGE, **change)))
    assert isinstance(refused, Failed)
    assert refused.retry == "permanent"
    assert reason in refused.reason


@pytest.mark.parametrize("address", ["", "site", "region:", "village:1", "terminal:a/b", "terminal:+", "region:#"])
def test_an_address_that_is_no_topic_never_leaves(address: str) -> None:
    refused = _post().parcel(replace(REGION, address=address))
    assert isinstance(refused, Failed)
    assert refused.retry == "permanent"


def test_a_command_over_16_kib_is_refused_and_never_shortened() -> None:
    fits, too_long = Text("en", "x" * 10_000), Text("en", "x" * 12_000)
    assert isinstance(_post().parcel(replace(REGION, texts=(fits,))), Parcel)
    refused = _post().parcel(replace(REGION, texts=(too_long,)))
    assert isinstance(refused, Failed)
    assert refused.retry == "permanent"
    assert "shorten the texts" in refused.reason


def test_an_acknowledgement_names_boot_and_number_and_nothing_of_a_chain() -> None:
    parcel = _post().ack("T-0001", boot_id="b1", n=7)
    command = verify_command(parcel.payload, TRUST)
    assert (parcel.topic, parcel.retain) == ("warnd/v1/terminal/T-0001/command", False)
    assert (command.verb, command.boot_id, command.n, command.message_id) == (Verb.ACK, "b1", 7, None)


def test_the_time_is_for_one_boot_and_does_not_wait_at_the_broker() -> None:
    parcel = _post().time("T-0001", boot_id="b1")
    command = verify_command(parcel.payload, TRUST)
    assert (command.verb, command.boot_id, command.at) == (Verb.TIME, "b1", NOW)
    assert parcel.expiry_s <= 10
