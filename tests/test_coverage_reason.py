"""Why a village is not confirmed: DESIGN §13's order, told village by village."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warnd.model.coverage import PENDING, Setback, TerminalFacts, VillageFacts, Why, reason
from warnd.model.plan import VillageRule

RELEASED = datetime(2026, 7, 3, 7, 30, tzinfo=UTC)
LATER = RELEASED + timedelta(minutes=5)
SOON = RELEASED + timedelta(seconds=59)
RED = VillageRule(terminal="both", bare="officer_and_door", within_s=300)
YELLOW = VillageRule(terminal="either", bare="officer", within_s=3600)
WENT_QUIET = RELEASED - timedelta(hours=1)

ON = TerminalFacts("t1", online=True)
OFF = TerminalFacts("t2", online=False, quiet_since=WENT_QUIET)
BUSY = TerminalFacts("t3", online=True, setback=Setback("busy", SOON))
DUMB = TerminalFacts("t4", online=True, setback=Setback("amplifier", SOON))
LOST = TerminalFacts("t5", online=True, setback=Setback("audio_hash", SOON))
SILENT = VillageFacts(
    rule=RED, released_at=RELEASED, played_at=None, answered_at=None, has_officer=True, terminals=(ON,)
)


def village(**changes: object) -> VillageFacts:
    return replace(SILENT, **changes)  # type: ignore[arg-type] # keyword by keyword in the tables below


TABLE = {
    "no terminal blocks red, whatever the officer said": (village(terminals=(), answered_at=SOON), "no_terminal"),
    "offline": (village(terminals=(OFF,)), "offline"),
    "refused": (village(terminals=(BUSY,)), "refused"),
    "amplifier": (village(terminals=(DUMB,)), "amplifier"),
    "other failures": (village(terminals=(LOST,)), "not_played"),
    "nothing heard": (village(), "not_played"),
    "played, nobody to answer": (village(played_at=SOON, has_officer=False), "no_officer"),
    "played, no answer": (village(played_at=SOON), "officer_silent"),
    "answered, not played": (village(answered_at=SOON), "not_played"),
    "the loudspeaker comes before the officer": (village(terminals=(OFF,), has_officer=False), "offline"),
    "yellow: no terminal is no reason": (village(rule=YELLOW, terminals=()), "officer_silent"),
    "yellow: no terminal, no officer": (village(rule=YELLOW, terminals=(), has_officer=False), "no_officer"),
    "yellow: the loudspeaker first": (village(rule=YELLOW, terminals=(DUMB,), has_officer=False), "amplifier"),
    "the best of several terminals decides": (village(terminals=(OFF, BUSY, ON)), "not_played"),
    "the best of several bad ones": (village(terminals=(OFF, BUSY)), "refused"),
}


@pytest.mark.parametrize("case", TABLE)
def test_the_first_reason_that_holds_and_blocks_the_rule_is_named(case: str) -> None:
    facts, word = TABLE[case]
    assert reason(facts, now=LATER).reason == word


@pytest.mark.parametrize(
    "word",
    [
        "bad_signature",
        "unknown_key",
        "replayed",
        "expired",
        "not_for_me",
        "drill_on_live",
        "superseded",
        "busy",
        "higher_priority",
    ],
)
def test_every_refusal_of_the_protocol_is_refused_with_the_terminals_own_word(word: str) -> None:
    terminal = TerminalFacts("t", online=True, setback=Setback(word, SOON))
    assert reason(village(terminals=(terminal,)), now=LATER) == Why("refused", SOON, word)


@pytest.mark.parametrize("word", ["audio_fetch", "audio_hash", "no_voice", "storage", "something new"])
def test_other_failures_did_not_play_and_say_why(word: str) -> None:
    terminal = TerminalFacts("t", online=True, setback=Setback(word, SOON))
    assert reason(village(terminals=(terminal,)), now=LATER) == Why("not_played", SOON, word)


def test_silence_is_pending_for_the_first_minute_only() -> None:
    for facts in (village(), village(played_at=SOON), village(rule=YELLOW), village(rule=YELLOW, terminals=())):
        assert reason(facts, now=RELEASED + PENDING - timedelta(milliseconds=1)) == Why("pending", RELEASED)
        assert reason(facts, now=RELEASED + PENDING).reason in {"not_played", "officer_silent"}


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        (village(terminals=()), "no_terminal"),
        (village(terminals=(OFF,)), "offline"),
        (village(terminals=(BUSY,)), "refused"),
        (village(terminals=(DUMB,)), "amplifier"),
        (village(has_officer=False), "no_officer"),
        (village(rule=YELLOW, terminals=(), has_officer=False), "no_officer"),
    ],
)
def test_what_is_plain_at_once_is_named_at_once(facts: VillageFacts, word: str) -> None:
    assert reason(facts, now=RELEASED).reason == word


def test_since_is_when_it_became_true() -> None:
    assert reason(village(terminals=(OFF,)), now=LATER).since == WENT_QUIET
    never_seen = TerminalFacts("t", online=False)
    assert reason(village(terminals=(never_seen,)), now=LATER) == Why("offline", RELEASED)
    assert reason(village(terminals=(DUMB,)), now=LATER) == Why("amplifier", SOON, "amplifier")
    assert reason(village(), now=LATER) == Why("not_played", RELEASED)


TERMINALS = st.lists(st.sampled_from([ON, OFF, BUSY, DUMB, LOST]), max_size=4).map(tuple)
PAST = st.sampled_from([None, SOON])


@given(
    rule=st.sampled_from([RED, YELLOW]),
    played=PAST,
    answered=PAST,
    officer=st.booleans(),
    terminals=TERMINALS,
    after_s=st.integers(0, 7200),
)
def test_an_unconfirmed_village_always_has_a_reason_and_a_better_terminal_never_a_worse_one(
    *,
    rule: VillageRule,
    played: datetime | None,
    answered: datetime | None,
    officer: bool,
    terminals: tuple[TerminalFacts, ...],
    after_s: int,
) -> None:
    if rule is YELLOW and terminals and (played or answered):
        return  # Confirmed: nobody asks.
    now = RELEASED + timedelta(seconds=after_s)
    facts = village(rule=rule, played_at=played, answered_at=answered, has_officer=officer, terminals=terminals)
    why = reason(facts, now=now)
    assert why.since <= max(now, SOON)
    order = ["no_terminal", "offline", "refused", "amplifier", "not_played", "no_officer", "officer_silent", "pending"]
    better = reason(replace(facts, terminals=(*terminals, ON)), now=now)
    assert order.index(better.reason) >= order.index(why.reason) or why.reason in {
        "no_officer",
        "officer_silent",
        "pending",
    }
