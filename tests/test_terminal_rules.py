"""What a terminal obeys, refuses and remembers, sentence by sentence of DESIGN §9 and §13."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.fakes.loudspeaker import (
    DRILL,
    DRILL_KEY,
    LIVE_KEY,
    NOW,
    PLAY,
    STOP,
    STRANGE_KEY,
    TRUST,
    to_terminal,
)
from tests.fakes.manual_clock import settle
from tests.fakes.village import Village
from warnd.model.loudspeaker import (
    DRILL_ROOT,
    LIVE_ROOT,
    ROOTS,
    Command,
    Stage,
    Status,
    Verb,
    Why,
    kid_of,
    public_bytes,
    sign_command,
    terminal_command_topic,
)
from warnd.model.loudspeaker.topics import region_command_topic

RETRY = replace(
    PLAY,
    to="terminal:T-0001",
    nonce="retry",
    issued_at=NOW + timedelta(minutes=1),
    expires_at=NOW + timedelta(hours=1),
    ttl_s=3000,
)
UPDATE = replace(PLAY, message_id="flood-2", seq=2, nonce="update")
PAST = NOW - timedelta(seconds=1)
PASS_S = 21.2


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    with closing(Village(tmp_path)) as village:
        yield village


def why(village: Village, command: Command, **how: object) -> list[str]:
    """Hand a command in and return what was reported of it."""
    village.told()
    village.send(command, **how)  # type: ignore[arg-type] # handed on as given
    return village.told()


# Who may command whom.


def test_commands_for_the_own_region_each_ancestor_and_the_terminal_itself_are_obeyed(village: Village) -> None:
    codes = ["510181102007", "510181102000", "510181000000", "510100000000", "510000000000"]
    for number, to in enumerate([*(f"region:{code}" for code in codes), "terminal:T-0001"], start=1):
        command = replace(PLAY, to=to, message_id=f"m{number}", chain_id=f"c{number}")
        assert why(village, command) == [f"m{number} received"]


@pytest.mark.parametrize(
    ("to", "topic"),
    [
        ("region:510181102008", None),
        ("region:510200000000", None),
        ("terminal:T-0002", None),
        ("region:510181102007", region_command_topic(LIVE_ROOT, "510181102000", "flood-1")),
        ("region:510181102007", terminal_command_topic(LIVE_ROOT, "T-0001")),
        ("terminal:T-0001", region_command_topic(LIVE_ROOT, "510181102007", "flood-1")),
        ("region:510181102007", region_command_topic(DRILL_ROOT, "510181102007", "flood-1")),
        ("region:510181102007", region_command_topic(LIVE_ROOT, "510181102007", "other-chain")),
    ],
)
def test_what_is_addressed_to_others_or_does_not_fit_its_topic_is_refused(
    village: Village, to: str, topic: str | None
) -> None:
    assert why(village, replace(PLAY, to=to), topic=topic) == ["flood-1 failed not_for_me"]


def test_a_refusal_is_reported_under_the_root_on_which_it_came(village: Village) -> None:
    village.send(PLAY, topic=region_command_topic(DRILL_ROOT, "510181102007", "flood-1"))
    assert village.kept()[0].root == DRILL_ROOT


@pytest.mark.parametrize("verb", [Verb.TEST, Verb.VOLUME, Verb.ACK, Verb.TIME])
def test_what_is_for_one_terminal_is_refused_on_a_region(village: Village, verb: Verb) -> None:
    whole = replace(to_terminal(verb), volume=1, boot_id="b", n=1, at=NOW)
    command = replace(whole, to="region:510181102007")
    assert why(village, command, topic=region_command_topic(LIVE_ROOT, "510181102007", "x")) == ["failed not_for_me"]


def test_an_unknown_key_is_refused_and_the_command_named(village: Village) -> None:
    assert why(village, PLAY, key=STRANGE_KEY) == ["flood-1 failed unknown_key"]
    refused = village.kept()[-1]
    assert (refused.seq, refused.nonce) == (1, "nonce-1")


def test_a_broken_signature_is_refused(village: Village) -> None:
    compact = sign_command(PLAY, LIVE_KEY)
    village.send_raw(compact[:-4] + "AAAA", topic=region_command_topic(LIVE_ROOT, "510181102007", "flood-1"))
    village.send_raw("rubbish", topic=terminal_command_topic(LIVE_ROOT, "T-0001"))
    assert village.told() == ["flood-1 failed bad_signature", "failed bad_signature"]


def test_an_exercise_under_a_live_key_is_refused(village: Village) -> None:
    assert why(village, replace(PLAY, status=Status.EXERCISE), key=LIVE_KEY) == ["flood-1 failed drill_on_live"]
    assert why(village, DRILL, key=LIVE_KEY) == ["drill-1 failed drill_on_live"]


def test_a_drill_key_commands_nothing_real(village: Village) -> None:
    assert why(village, PLAY, key=DRILL_KEY) == ["flood-1 failed unknown_key"]


def test_a_key_commands_only_the_regions_and_the_time_that_it_is_trusted_for(tmp_path: Path) -> None:
    kid = kid_of(public_bytes(LIVE_KEY))
    for number, (change, told) in enumerate(
        [
            ({"regions": ("5102",)}, "flood-1 failed unknown_key"),
            ({"regions": ()}, "flood-1 failed unknown_key"),
            ({"regions": None}, "flood-1 received"),
            ({"not_after": NOW - timedelta(days=1)}, "flood-1 failed unknown_key"),
            ({"not_after": NOW + timedelta(days=1)}, "flood-1 received"),
        ]
    ):
        trust = {kid: replace(TRUST[kid], **change)}  # type: ignore[arg-type] # each pair fits its field
        with closing(Village(tmp_path / str(number), trust=trust)) as village:
            assert why(village, PLAY) == [told]


def test_a_malformed_command_under_a_good_key_is_reported_without_a_word_for_it(village: Village) -> None:
    from warnd.model.loudspeaker.command import command_payload  # noqa: PLC0415 - only this test signs what is malformed
    from warnd.model.loudspeaker.jws import sign  # noqa: PLC0415 - the same

    payload = {**command_payload(PLAY), "repeat": 0}
    compact = sign(payload, LIVE_KEY, typ="warnd-cmd", kid=kid_of(public_bytes(LIVE_KEY)))
    village.send_raw(compact, topic=region_command_topic(LIVE_ROOT, "510181102007", "flood-1"))
    assert village.told() == ["flood-1 failed"]


def test_an_emptied_retained_topic_and_foreign_topics_are_nothing(village: Village) -> None:
    village.send_raw("", topic=region_command_topic(LIVE_ROOT, "510181102007", "flood-1"))
    village.send_raw("x", topic="elsewhere")
    village.send_raw("x", topic="warnd/v1/terminal/T-0001/state")
    assert village.told() == []


def test_a_flood_of_refused_commands_is_no_flood_of_receipts(village: Village) -> None:
    """An `ack` that is itself refused would otherwise be reported, acknowledged and refused for ever."""
    ack = replace(to_terminal(Verb.ACK), boot_id="b", n=1)
    for _ in range(500):
        village.send(ack, key=STRANGE_KEY)
    village.send(PLAY, key=STRANGE_KEY)
    told = village.told()
    assert told.count("failed unknown_key") == 20
    assert told[-1] == "flood-1 failed unknown_key"


# Time.


def test_an_expired_command_is_refused_and_one_that_the_broker_kept_is_silent(village: Village) -> None:
    assert why(village, replace(PLAY, expires_at=PAST)) == ["flood-1 failed expired"]
    assert why(village, replace(PLAY, expires_at=PAST), retained=True) == []
    assert why(village, replace(to_terminal(Verb.TEST), expires_at=PAST)) == ["failed expired"]


async def test_yesterdays_signed_play_is_silent_and_reported(tmp_path: Path) -> None:
    yesterday = Village(tmp_path)
    async with yesterday.awake():
        compact = yesterday.send(PLAY)
        await yesterday.clock.advance(PASS_S)
    today = yesterday.restarted(wall=NOW + timedelta(days=1))
    async with today.awake():
        today.told()
        today.send_raw(compact, topic=region_command_topic(LIVE_ROOT, "510181102007", "flood-1"))
        await today.clock.advance(60)
        assert today.told() == ["flood-1 failed expired"]
    today.close()


# What is known already.


async def test_a_retry_of_what_was_not_heard_whole_plays_it(village: Village) -> None:
    async with village.awake():
        village.send(replace(PLAY, repeat=2))
        await village.clock.advance(PASS_S + 1)
        village.send(replace(RETRY, repeat=2))
        await village.clock.advance(PASS_S)
        assert [word for word in village.told() if "played" in word] == ["flood-1 played", "flood-1 played"]


async def test_a_retry_of_what_was_heard_whole_gets_the_same_receipts_again(village: Village) -> None:
    async with village.awake():
        village.send(PLAY)
        await village.clock.advance(PASS_S)
        before = village.kept()
        village.told()
        village.send(RETRY)
        assert village.due() == before
        await village.clock.advance(3600)
        assert len(village.kept()) == len(before)


async def test_a_retry_gets_the_same_receipts_again_though_the_daemon_had_confirmed_them(village: Village) -> None:
    async with village.awake():
        village.send(replace(PLAY, repeat=2))
        await village.clock.advance(2 * PASS_S)
        numbers = [receipt.n for receipt in village.kept()]
        village.told()
        village.send(replace(to_terminal(Verb.ACK), boot_id=village.terminal.boot_id, n=len(numbers)))
        assert village.kept() == []
        village.send(replace(RETRY, repeat=2))
        assert [receipt.stage for receipt in village.due()] == [Stage.RECEIVED, Stage.PLAYING, Stage.PLAYED]
        for kept in village.terminal.outbox.due(ROOTS, village.clock.monotonic()):
            village.terminal.outbox.sent(kept, village.clock.monotonic())
        await village.clock.advance(3600)
        assert village.due() == []


async def test_after_a_stop_of_that_seq_a_play_is_never_obeyed(village: Village) -> None:
    async with village.awake():
        village.send(replace(STOP, message_id="flood-1", seq=1))
        village.told()
        assert why(village, PLAY) == ["flood-1 failed superseded"]
        await village.clock.advance(60)
        assert village.told() == []


async def test_a_stop_that_came_first_outlives_the_late_play_and_a_power_cut(village: Village) -> None:
    village.send(STOP)
    again = village.restarted()
    again.told()
    async with again.awake():
        assert why(again, PLAY) == ["flood-1 failed superseded"]
        await again.clock.advance(60)
        assert again.told() == []
    again.close()


def test_a_lower_seq_is_superseded_and_silent(village: Village) -> None:
    village.send(UPDATE)
    assert why(village, RETRY) == ["flood-1 failed superseded"]
    assert why(village, replace(STOP, message_id="flood-1", seq=1)) == ["flood-1 failed superseded"]


@pytest.mark.parametrize(
    "other",
    [
        replace(RETRY, headline="别的"),
        replace(RETRY, message_id="flood-9"),
        replace(RETRY, regions=("51",)),
        replace(RETRY, repeat=9),
    ],
)
def test_something_else_under_an_equal_seq_is_refused(village: Village, other: Command) -> None:
    village.send(PLAY)
    assert why(village, other) == [f"{other.message_id} failed replayed"]


def test_a_stop_that_is_sent_again_gets_its_receipts_again(village: Village) -> None:
    village.send(PLAY)
    village.send(STOP)
    village.told()
    village.send(replace(STOP, to="terminal:T-0001", nonce="again"))
    assert [(receipt.message_id, receipt.stage) for receipt in village.due()] == [
        ("flood-2", Stage.RECEIVED),
        ("flood-2", Stage.STOPPED),
    ]


def test_a_shrinking_version_that_is_sent_again_gets_its_receipts_again(village: Village) -> None:
    elsewhere = replace(UPDATE, regions=("52",))
    village.send(elsewhere)
    village.told()
    village.send(replace(elsewhere, to="terminal:T-0001", nonce="again"))
    assert [receipt.stage for receipt in village.due()] == [Stage.RECEIVED, Stage.STOPPED]


async def test_a_stop_that_outlived_itself_still_stops_what_is_in_force(village: Village) -> None:
    async with village.awake():
        village.send(PLAY)
        await settle()
        village.told()
        village.send(replace(STOP, expires_at=PAST))
        await settle()
        assert village.told() == ["flood-2 received", "flood-1 stopped", "flood-2 stopped"]


def test_an_expired_stop_of_nothing_is_refused_and_remembered(village: Village) -> None:
    assert why(village, replace(STOP, expires_at=PAST)) == ["flood-2 failed expired"]
    assert why(village, PLAY) == ["flood-1 failed superseded"]


async def test_an_expired_version_still_replaces_the_one_before_it(village: Village) -> None:
    async with village.awake():
        village.send(PLAY)
        await settle()
        village.send(replace(UPDATE, expires_at=PAST), retained=True)
        await village.clock.advance(60)
        assert village.told() == ["flood-1 received", "flood-1 playing", "flood-1 stopped superseded"]


# What is outside of chains.


def test_the_volume_is_set_and_kept(village: Village) -> None:
    assert why(village, replace(to_terminal(Verb.VOLUME), volume=35)) == ["received"]
    assert village.kept()[-1].volume == 35
    again = village.restarted()
    assert again.terminal.state().volume == 35
    again.close()


@pytest.mark.parametrize("verb", [Verb.TEST, Verb.VOLUME])
def test_a_replayed_test_or_volume_is_refused_also_after_a_power_cut(village: Village, verb: Verb) -> None:
    command = replace(to_terminal(verb), volume=35)
    village.send(command)
    assert why(village, command) == ["failed replayed"]
    again = village.restarted()
    assert why(again, command) == ["failed replayed"]
    again.close()


# Power cuts.


async def test_a_play_that_a_power_cut_broke_off_goes_on_by_itself(village: Village) -> None:
    async with village.awake():
        village.send(replace(PLAY, repeat=2))
        await village.clock.advance(PASS_S + 3)
    again = village.restarted()
    again.told()
    async with again.awake():
        await again.clock.advance(2 * PASS_S)
        assert again.told() == ["flood-1 playing", "flood-1 played"]
        assert again.kept()[-1].pass_done == 2
    again.close()


async def test_the_next_round_keeps_its_time_through_a_power_cut(village: Village) -> None:
    async with village.awake():
        village.send(replace(PLAY, every_s=600))
        await village.clock.advance(PASS_S + 100)
    again = village.restarted()
    again.told()
    async with again.awake():
        await again.clock.advance(499)
        assert again.told() == []
        await again.clock.advance(2)
        assert again.told() == ["flood-1 playing"]
    again.close()


async def test_what_was_heard_whole_is_not_heard_again_after_a_power_cut(village: Village) -> None:
    async with village.awake():
        village.send(PLAY)
        await village.clock.advance(PASS_S)
    again = village.restarted()
    again.told()
    async with again.awake():
        again.send(RETRY)
        await again.clock.advance(60)
        assert [receipt.stage for receipt in again.kept()] == [Stage.RECEIVED, Stage.PLAYING, Stage.PLAYED]
    again.close()


async def test_a_stop_whose_answer_a_power_cut_prevented_is_answered_after_it(village: Village) -> None:
    async with village.awake():
        village.send(PLAY)
        await settle()
        village.send(STOP)
    again = village.restarted()
    assert [word for word in again.told() if word.startswith("flood-2")] == ["flood-2 received", "flood-2 stopped"]
    again.close()


async def test_a_play_whose_key_is_no_longer_trusted_after_a_restart_is_silent(village: Village) -> None:
    village.send(PLAY)
    again = village.restarted(trust={kid: key for kid, key in TRUST.items() if key.root == DRILL_ROOT})
    again.told()
    async with again.awake():
        await again.clock.advance(60)
        assert again.told() == []
    again.close()


@pytest.mark.parametrize("rubbish", [b"", b"{", b"[]", b"{}", b"null", b"\xff\x00"])
def test_state_files_that_make_no_sense_are_passed_over_and_the_terminal_starts(
    village: Village, rubbish: bytes
) -> None:
    village.send(PLAY)
    village.send(replace(to_terminal(Verb.VOLUME), volume=35))
    folder = village.folder
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
    assert len(files) >= 4
    village.terminal.close()
    for path in files:
        path.write_bytes(rubbish)
    again = Village(folder, start=2)
    assert why(again, PLAY) == ["flood-1 received"]
    again.close()


def test_two_terminals_on_one_state_folder_are_refused(village: Village) -> None:
    with pytest.raises(OSError, match="another terminal runs"):
        Village(village.folder, start=2)


def test_refused_and_malformed_words_are_all_of_the_contract() -> None:
    contract = (
        "bad_signature|unknown_key|replayed|expired|not_for_me|drill_on_live|superseded|busy|higher_priority|"
        "audio_fetch|audio_hash|amplifier|no_voice|storage"
    )
    assert "|".join(Why) == contract
