"""What each answer of a mail server means: the whole table, and what stands in no table."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.codes import REPLIES, STATUSES, Fate, Step, fate, outcome, reason, status_of
from warnd.channel import Failed, Unknown

KINDS = {"permanent", "transient", "throttled"}
STEPS: tuple[Step, ...] = ("session", "sender", "recipient", "mail", "end")


@pytest.mark.parametrize("code", sorted(REPLIES))
def test_each_reply_code_of_the_table_decides_where_no_status_does(code: int) -> None:
    known = REPLIES[code]
    assert known.kind in KINDS
    assert fate(code, "some words", step="recipient") == known
    made = outcome(code, "some words", step="recipient")
    assert made == Failed(f"{code} some words", retry=known.kind, retry_after_s=known.after_s)  # type: ignore[arg-type]  # Checked above.


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_each_status_code_of_the_table_wins_over_the_reply_code(status: str) -> None:
    known = STATUSES[status]
    assert known.kind in KINDS
    assert re.fullmatch(r"[45]\.[0-7]\.\d{1,2}", status)
    for code in (int(f"{status[0]}50"), int(f"{status[0]}54"), int(f"{status[0]}99")):
        assert fate(code, f"{status} some words", step="recipient") == known


def test_the_table_knows_every_registered_code() -> None:
    """Highest registered detail for each subject in the IANA registry of enhanced status codes."""
    last = {0: 0, 1: 10, 2: 4, 3: 6, 4: 8, 5: 6, 6: 10, 7: 30}
    assert set(STATUSES) == {f"{c}.{s}.{d}" for c in "45" for s, most in last.items() for d in range(most + 1)}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("421 4.3.2 Service shutting down", "throttled"),
        ("421 Timeout", "transient"),
        ("450 4.2.0 <li@village.example>: Greylisted", "transient"),
        ("451 4.7.1 Please try again later", "transient"),
        ("452 4.3.1 Insufficient system storage", "throttled"),
        ("452 4.2.2 Over quota", "transient"),
        ("454 4.7.0 Temporary authentication failure", "transient"),
        ("535 5.7.8 Authentication failed", "transient"),
        ("550 5.1.1 No such user", "permanent"),
        ("552 5.2.2 Mailbox full", "permanent"),
        ("554 5.7.1 Rejected as spam", "permanent"),
        ("554 5.7.26 Unauthenticated mail", "transient"),
        ("577 whatever", "permanent"),
        ("499 whatever", "transient"),
    ],
)
def test_answers_as_servers_write_them(answer: str, kind: str) -> None:
    code, _, text = answer.partition(" ")
    assert fate(int(code), text, step="recipient").kind == kind


@pytest.mark.parametrize(
    ("text", "after_s"),
    [
        ("4.2.0 Greylisted", 300.0),
        ("4.2.0 Greylisted, try again in 120 seconds", 120.0),
        ("4.7.1 Greylisting in action, please come back after 10 minutes", 600.0),
        ("4.2.0 try again in 1 second", 60.0),
        ("4.2.0 try again in 99999 seconds", 1800.0),
    ],
)
def test_greylisting_waits_as_long_as_the_server_says_within_reason(text: str, after_s: float) -> None:
    assert fate(450, text, step="recipient") == Fate("transient", after_s)


def test_a_refusal_of_our_own_address_is_not_held_against_the_recipient() -> None:
    assert fate(550, "5.7.1 Sender rejected", step="sender").kind == "transient"
    assert fate(553, "5.1.8 Domain not found", step="sender").kind == "transient"
    assert fate(552, "5.3.4 Message too big", step="sender").kind == "permanent"
    assert fate(550, "5.7.1 Sender rejected", step="recipient").kind == "permanent"


@pytest.mark.parametrize("code", [-1, 0, 150, 354, 999])
def test_nonsense_is_ambiguous_after_the_last_dot_and_transient_before(code: int) -> None:
    assert isinstance(outcome(code, "what?", step="end"), Unknown)
    made = outcome(code, "what?", step="recipient")
    assert isinstance(made, Failed)
    assert made.retry == "transient"


def test_a_status_code_of_another_class_than_the_reply_is_not_believed() -> None:
    assert fate(550, "4.2.0 greylisted", step="recipient") == REPLIES[550]


@pytest.mark.parametrize(
    ("text", "status"),
    [("5.1.1 <x> gone", "5.1.1"), ("5.1.1", "5.1.1"), ("5.1.1. no", None), ("see 5.1.1", None), ("3.1.1 x", None)],
)
def test_a_status_code_stands_at_the_head_of_the_text(text: str, status: str | None) -> None:
    assert status_of(text) == status


def test_no_address_stands_in_a_reason() -> None:
    """Reasons go into the event chain, where nothing personal may stand."""
    told = "5.1.1 <li+x@village.example>: Recipient address rejected: User unknown (li@[10.0.0.1]) 李@村.example"
    assert reason(550, told) == "550 5.1.1 <…>: Recipient address rejected: User unknown (…) …"


@given(st.integers(-9, 999), st.text(), st.sampled_from(STEPS))
def test_any_answer_has_an_outcome_with_a_reason_on_one_line(code: int, text: str, step: Step) -> None:
    made = outcome(code, text, step=step)
    assert made.reason == reason(code, text)
    assert made.reason.startswith(str(code))
    assert made.reason.isprintable()
    assert len(made.reason) <= 160
