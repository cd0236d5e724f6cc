"""What sounds, in which order, and what is reported of it (DESIGN §9)."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.fakes.loudspeaker import DRILL, NOW, PLAY, STOP, to_terminal
from tests.fakes.manual_clock import settle
from tests.fakes.village import Village
from warnd.model.level import Level
from warnd.model.loudspeaker import Amplifier, Audio, Speech, Stage, Verb, Why
from warnd.terminal.output import OutputError
from warnd.terminal.wave import Clip, chime

CHIME_S = chime(drill=False).duration_ms / 1000
PASS_S = CHIME_S + 20  # Two languages of ten seconds each, after the chime.

RED = replace(PLAY, message_id="red", chain_id="red")
ORANGE = replace(PLAY, message_id="orange", chain_id="orange", level=Level.ORANGE, nonce="o")
NEWER_RED = replace(RED, message_id="newer", chain_id="newer", issued_at=NOW + timedelta(seconds=1), nonce="n")


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    with closing(Village(tmp_path)) as village:
        yield village


async def test_a_play_is_received_sounded_and_presented_after_each_whole_pass(village: Village) -> None:
    async with village.awake():
        village.send(replace(PLAY, repeat=2))
        assert village.told() == ["flood-1 received"]
        await settle()
        assert village.told() == ["flood-1 playing"]
        await village.clock.advance(PASS_S)
        first, second_begins = village.kept()[-2:]
        assert (first.stage, first.pass_done, first.played_ms) == (Stage.PLAYED, 1, round(PASS_S * 1000))
        assert (second_begins.stage, second_begins.pass_done) == (Stage.PLAYING, 1)
        await village.clock.advance(PASS_S)
        last = village.kept()[-1]
        assert (last.stage, last.pass_done, last.played_ms) == (Stage.PLAYED, 2, 2 * round(PASS_S * 1000))
        await village.clock.advance(3600)
        assert village.kept()[-1] == last


async def test_a_receipt_says_who_what_where_and_when(village: Village) -> None:
    village.send(PLAY)
    received = village.kept()[0]
    assert (received.terminal, received.n, received.message_id, received.seq, received.nonce) == (
        "T-0001",
        1,
        "flood-1",
        1,
        "nonce-1",
    )
    assert (received.at, received.amplifier, received.reason) == (NOW, Amplifier.OK, None)


async def test_rounds_come_again_every_so_often_until_expiry(village: Village) -> None:
    async with village.awake():
        village.send(replace(PLAY, every_s=600, expires_at=NOW + timedelta(seconds=1500)))
        await village.clock.advance(PASS_S)
        assert village.told() == ["flood-1 received", "flood-1 playing", "flood-1 played"]
        await village.clock.advance(599)
        assert village.told() == []
        await village.clock.advance(PASS_S + 1)
        assert village.told() == ["flood-1 playing", "flood-1 played"]
        await village.clock.advance(7200)
        assert village.told() == ["flood-1 playing", "flood-1 played"]


async def test_a_voice_falls_silent_at_expiry(village: Village) -> None:
    async with village.awake():
        village.send(replace(PLAY, expires_at=NOW + timedelta(seconds=5)))
        await village.clock.advance(5)
        assert village.told() == ["flood-1 received", "flood-1 playing", "flood-1 stopped expired"]
        await village.clock.advance(3600)
        assert village.told() == []


async def test_what_expires_before_its_turn_is_reported_and_never_sounds(village: Village) -> None:
    async with village.awake():
        village.send(RED)
        await settle()
        village.send(replace(ORANGE, expires_at=NOW + timedelta(seconds=5)))
        await village.clock.advance(PASS_S)
        assert village.told() == [
            "red received",
            "red playing",
            "orange received",
            "red played",
            "orange failed expired",
        ]


async def test_two_open_warnings_are_both_heard_the_graver_first(village: Village) -> None:
    village.send(ORANGE)
    village.send(replace(RED, repeat=2))
    async with village.awake():
        await village.clock.advance(3 * PASS_S)
    assert [word for word in village.told() if "play" in word] == [
        "red playing",
        "red played",
        "red playing",
        "red played",
        "orange playing",
        "orange played",
    ]


async def test_a_graver_warning_cuts_in_and_the_lesser_pass_is_played_whole_afterwards(village: Village) -> None:
    async with village.awake():
        village.send(ORANGE)
        await village.clock.advance(4)
        village.send(RED)
        await settle()
        assert village.told() == [
            "orange received",
            "orange playing",
            "red received",
            "orange stopped higher_priority",
            "red playing",
        ]
        stopped = next(
            receipt
            for receipt in village.terminal.outbox.about(ORANGE.root, "orange", 1)
            if receipt.stage is Stage.STOPPED
        )
        assert (stopped.played_ms, stopped.pass_done) == (4000, 0)
        await village.clock.advance(2 * PASS_S)
        assert village.told() == ["red played", "orange playing", "orange played"]


async def test_the_newest_of_one_level_goes_next_but_does_not_cut_in(village: Village) -> None:
    async with village.awake():
        village.send(replace(RED, repeat=2))
        await settle()
        village.send(NEWER_RED)
        await village.clock.advance(3 * PASS_S)
        assert [word for word in village.told() if "played" in word] == ["red played", "newer played", "red played"]


async def test_later_rounds_of_a_graver_warning_let_a_lesser_one_finish(village: Village) -> None:
    async with village.awake():
        village.send(replace(RED, every_s=5))
        await village.clock.advance(PASS_S)
        village.send(ORANGE)
        await village.clock.advance(PASS_S)
        assert [word for word in village.told() if "play" in word][-2:] == ["orange played", "red playing"]


async def test_a_stop_silences_at_once_and_is_answered_when_it_is_silent(village: Village) -> None:
    async with village.awake():
        village.send(PLAY)
        await village.clock.advance(3)
        village.told()
        village.send(STOP)
        assert village.told() == ["flood-2 received"]
        await settle()
        assert village.told() == ["flood-1 stopped", "flood-2 stopped"]
        stopped = next(
            receipt
            for receipt in village.terminal.outbox.about(PLAY.root, "flood-1", 1)
            if receipt.stage is Stage.STOPPED
        )
        assert stopped.played_ms == 3000
        assert village.terminal.state().playing is None
        await village.clock.advance(3600)
        assert village.told() == []


async def test_a_stop_when_nothing_sounds_is_answered_at_once(village: Village) -> None:
    village.send(STOP)
    assert village.told() == ["flood-2 received", "flood-2 stopped"]


async def test_a_new_version_replaces_the_old_one_in_the_middle_of_a_word(village: Village) -> None:
    async with village.awake():
        village.send(PLAY)
        await village.clock.advance(3)
        village.send(replace(PLAY, message_id="flood-2", seq=2))
        await village.clock.advance(PASS_S)
        assert village.told() == [
            "flood-1 received",
            "flood-1 playing",
            "flood-2 received",
            "flood-1 stopped superseded",
            "flood-2 playing",
            "flood-2 played",
        ]


async def test_a_terminal_outside_of_the_new_area_takes_it_as_a_stop(village: Village) -> None:
    async with village.awake():
        village.send(PLAY)
        await village.clock.advance(3)
        village.send(replace(PLAY, message_id="flood-2", seq=2, regions=("510181102008", "52")))
        await village.clock.advance(3600)
        assert village.told() == [
            "flood-1 received",
            "flood-1 playing",
            "flood-2 received",
            "flood-1 stopped",
            "flood-2 stopped",
        ]


async def test_the_real_thing_ends_a_drill_for_good(village: Village) -> None:
    async with village.awake():
        village.send(replace(DRILL, level=Level.RED))
        await village.clock.advance(3)
        village.send(ORANGE)
        await village.clock.advance(PASS_S)
        assert village.told() == [
            "drill-1 received",
            "drill-1 playing",
            "orange received",
            "drill-1 stopped higher_priority",
            "orange playing",
            "orange played",
        ]
        village.send(replace(DRILL, nonce="again"))
        village.send(replace(DRILL, message_id="drill-2", chain_id="drill-2"))
        await village.clock.advance(PASS_S)
        assert "drill-2 failed higher_priority" in village.told()
        assert village.terminal.state().playing is None


async def test_a_waiting_drill_is_told_that_the_real_thing_ended_it(village: Village) -> None:
    village.send(DRILL)
    village.send(RED)
    assert village.told() == ["drill-1 received", "red received", "drill-1 stopped higher_priority"]


async def test_a_pass_through_a_faulty_amplifier_is_told_and_owed(village: Village) -> None:
    async with village.awake():
        village.amplifier = Amplifier.FAULT
        village.send(PLAY)
        await village.clock.advance(PASS_S)
        played = village.kept()[-1]
        assert (played.stage, played.amplifier, played.reason) == (Stage.PLAYED, Amplifier.FAULT, Why.AMPLIFIER)
        village.told()
        village.amplifier = Amplifier.OK
        village.send(replace(PLAY, nonce="retry"))
        await village.clock.advance(PASS_S)
        assert village.told()[-2:] == ["flood-1 playing", "flood-1 played"]
        assert village.kept()[-1].amplifier is Amplifier.OK


async def test_an_amplifier_of_which_nothing_is_known_counts_as_sound(village: Village) -> None:
    async with village.awake():
        village.amplifier = Amplifier.UNKNOWN
        village.send(PLAY)
        await village.clock.advance(PASS_S)
        village.told()
        village.send(replace(PLAY, nonce="retry"))
        await village.clock.advance(PASS_S)
        assert village.told() == []


async def test_languages_without_a_voice_are_left_out_and_told(village: Village) -> None:
    async with village.awake():
        village.send(replace(PLAY, speech=(Speech("bo", "ཆུ་ལོག"), Speech("zh", "洪水"))))
        await village.clock.advance(CHIME_S + 10)
        assert village.told() == ["flood-1 received", "flood-1 playing no_voice", "flood-1 played"]


async def test_a_warning_that_nothing_here_can_say_fails_and_is_tried_ever_more_slowly(village: Village) -> None:
    async with village.awake():
        village.send(replace(PLAY, speech=(Speech("bo", "ཆུ་ལོག"),)))
        await village.clock.advance(1)
        assert village.told() == ["flood-1 received", "flood-1 failed no_voice"]
        await village.clock.advance(29)
        assert village.told() == ["flood-1 failed no_voice"]
        await village.clock.advance(59)
        assert village.told() == []
        await village.clock.advance(1)
        assert village.told() == ["flood-1 failed no_voice"]


async def test_a_recording_that_may_not_be_fetched_is_replaced_by_the_voice_and_told(village: Village) -> None:
    recorded = Speech("zh", "洪水", Audio("https://nobody.example/a.wav", "a" * 64, 4000))
    async with village.awake():
        village.send(replace(PLAY, speech=(recorded,)))
        await village.clock.advance(CHIME_S + 10)
        assert village.told() == ["flood-1 received", "flood-1 playing audio_fetch", "flood-1 played"]


class Deaf:
    """A sound card that gives up after four seconds."""

    def __init__(self, village: "list[Village]") -> None:
        self._village = village

    def amplifier(self) -> Amplifier:
        return Amplifier.OK

    async def sound(self, clip: Clip, volume: int) -> None:
        await self._village[0].clock.sleep(4)
        raise OutputError(f"no device for {clip.duration_ms} ms at {volume} %")


async def test_a_sound_card_that_fails_is_no_playback(tmp_path: Path) -> None:
    villages: list[Village] = []
    villages.append(Village(tmp_path, output=Deaf(villages)))
    village = villages[0]
    async with village.awake():
        village.send(replace(PLAY, tone=None))
        await village.clock.advance(4)
        assert village.told() == ["flood-1 received", "flood-1 playing", "flood-1 failed amplifier"]
        await village.clock.advance(34)
        assert village.told()[:2] == ["flood-1 playing", "flood-1 failed amplifier"]
    village.close()


async def test_the_commanded_volume_is_reported_and_the_set_one_where_none_was_commanded(village: Village) -> None:
    village.send(replace(to_terminal(Verb.VOLUME), volume=35))
    async with village.awake():
        village.send(replace(PLAY, volume=None))
        await village.clock.advance(PASS_S)
        assert village.kept()[-1].volume == 35
        village.send(replace(PLAY, message_id="flood-2", seq=2, volume=95))
        await village.clock.advance(PASS_S)
        assert village.kept()[-1].volume == 95


async def test_a_test_sounds_only_in_silence(village: Village) -> None:
    async with village.awake():
        village.send(to_terminal(Verb.TEST))
        await village.clock.advance(CHIME_S)
        assert village.told() == ["received", "playing", "played"]
        village.send(RED)
        await settle()
        village.send(replace(to_terminal(Verb.TEST), nonce="second"))
        assert village.told()[-1] == "failed busy"


async def test_a_warning_cuts_a_test_off(village: Village) -> None:
    async with village.awake():
        village.send(replace(to_terminal(Verb.TEST), speech=(Speech("zh", "广播测试"),)))
        await village.clock.advance(1)
        village.send(ORANGE)
        await settle()
        assert village.told() == ["received", "playing", "orange received", "stopped higher_priority", "orange playing"]


async def test_the_state_tells_what_sounds_and_what_came_last(village: Village) -> None:
    async with village.awake():
        village.send(PLAY)
        await settle()
        state = village.terminal.state()
        assert (state.playing, state.last_message, state.volume, state.online) == ("flood-1", "flood-1", 80, True)
        assert (state.heartbeat_s, state.uptime_s, state.boot_id) == (30, 0, village.terminal.boot_id)
