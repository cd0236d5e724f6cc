"""Receipts are numbered, kept until they are confirmed, and sent again with the bytes they were born with (DESIGN §13)."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.loudspeaker import DRILL, NOW, PLAY, TERMINAL_KEY, to_terminal
from tests.fakes.village import Village, full_disk
from warnd.model.loudspeaker import (
    DRILL_ROOT,
    LIVE_ROOT,
    ROOTS,
    Stage,
    Verb,
    Why,
    public_bytes,
    receipt_topic,
    verify_receipt,
)

PASS_S = 21.2


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    with closing(Village(tmp_path)) as village:
        yield village


def confirm(village: Village, n: int, *, boot_id: str | None = None, root: str = LIVE_ROOT) -> None:
    """Send an `ack`."""
    village.send(replace(to_terminal(Verb.ACK, root=root), boot_id=boot_id or village.terminal.boot_id, n=n))


def chains(village: Village, count: int) -> None:
    """Command `count` plays of different chains."""
    for number in range(count):
        village.send(replace(PLAY, message_id=f"m{number}", chain_id=f"c{number}"))


def test_receipts_count_from_one_for_each_root(village: Village) -> None:
    village.send(DRILL)
    chains(village, 3)
    numbers = [(receipt.root, receipt.n) for receipt in village.kept()]
    assert [n for root, n in numbers if root == LIVE_ROOT] == [1, 2, 3]
    assert [n for root, n in numbers if root == DRILL_ROOT] == [1, 2]


def test_receipts_are_signed_with_the_one_key_of_the_terminal_for_both_roots(village: Village) -> None:
    village.send(DRILL)
    village.send(PLAY)
    for kept in village.terminal.outbox.due(ROOTS, village.clock.monotonic()):
        topic = receipt_topic(kept.receipt.root, "T-0001")
        assert verify_receipt(kept.compact, topic, public_bytes(TERMINAL_KEY)) == kept.receipt


def test_an_ack_confirms_receipts_up_to_its_n_and_gets_no_receipt(village: Village) -> None:
    chains(village, 4)
    confirm(village, 3)
    assert [receipt.n for receipt in village.kept()] == [4]
    confirm(village, 3)
    confirm(village, 9)
    assert village.kept() == []


def test_an_ack_of_one_root_or_another_start_confirms_nothing_else(village: Village) -> None:
    village.send(DRILL)
    village.send(PLAY)
    confirm(village, 9, root=DRILL_ROOT)
    assert {receipt.root for receipt in village.kept()} == {LIVE_ROOT}
    confirm(village, 9, boot_id="another")
    assert len(village.kept()) == 1


def test_what_is_not_confirmed_is_due_again_after_30_seconds(village: Village) -> None:
    village.send(PLAY)
    outbox, now = village.terminal.outbox, village.clock.monotonic()
    (kept,) = outbox.due(ROOTS, now)
    outbox.sent(kept, now)
    assert outbox.due(ROOTS, now + 29) == []
    assert [again.compact for again in outbox.due(ROOTS, now + 30)] == [kept.compact]
    assert outbox.next_due(ROOTS) == now + 30


def test_on_a_new_connection_everything_unconfirmed_is_due_at_once(village: Village) -> None:
    chains(village, 2)
    village.told()
    village.terminal.outbox.all_again((LIVE_ROOT,))
    assert [receipt.n for receipt in village.due()] == [1, 2]


def test_a_confirmation_that_comes_while_a_receipt_is_being_sent_is_not_forgotten(village: Village) -> None:
    village.send(PLAY)
    outbox = village.terminal.outbox
    (kept,) = outbox.due(ROOTS, village.clock.monotonic())
    confirm(village, 1)
    outbox.sent(kept, village.clock.monotonic())
    assert village.kept() == []
    assert outbox.next_due(ROOTS) is None


def test_unconfirmed_receipts_outlive_a_power_cut_with_their_bytes_and_true_times(village: Village) -> None:
    chains(village, 3)
    confirm(village, 1)
    before = [kept.compact for kept in village.terminal.outbox.due(ROOTS, village.clock.monotonic())]
    again = village.restarted(wall=NOW + timedelta(hours=1))
    assert [kept.compact for kept in again.terminal.outbox.due(ROOTS, again.clock.monotonic())] == before
    assert {receipt.at for receipt in again.kept()} == {NOW}
    assert again.terminal.boot_id != village.terminal.boot_id
    confirm(again, 3, boot_id=village.terminal.boot_id)
    assert again.kept() == []
    again.close()


def test_confirmed_receipts_stay_confirmed_after_a_power_cut(village: Village) -> None:
    village.send(PLAY)
    confirm(village, 1)
    again = village.restarted()
    assert again.kept() == []
    again.close()


async def test_a_full_disk_silences_nothing_and_is_reported(village: Village) -> None:
    async with village.awake():
        with full_disk():
            village.send(PLAY)
            await village.clock.advance(PASS_S)
        assert village.told() == ["flood-1 received storage", "flood-1 playing", "flood-1 played"]


def test_a_full_disk_does_not_keep_a_stop_from_stopping(village: Village) -> None:
    village.send(PLAY)
    with full_disk():
        village.send(replace(PLAY, verb=Verb.STOP, message_id="flood-2", seq=2))
    assert village.told()[1:] == ["flood-2 received storage", "flood-2 stopped"]


async def test_what_a_full_disk_refused_is_on_the_disk_after_the_next_write(village: Village) -> None:
    with full_disk():
        chains(village, 2)
    village.send(replace(PLAY, message_id="m9", chain_id="c9"))
    assert village.kept()[-1].reason is None
    again = village.restarted()
    assert [receipt.message_id for receipt in again.kept()] == ["m0", "m1", "m9"]
    assert {receipt.reason for receipt in again.kept()[:2]} == {Why.STORAGE}
    again.send(replace(PLAY, message_id="m0", chain_id="c0", headline="别的"))
    assert again.kept()[-1].reason is Why.REPLAYED
    again.close()


def test_a_confirmation_on_a_full_disk_does_not_bring_the_receipt_back(village: Village) -> None:
    with full_disk():
        chains(village, 2)
        confirm(village, 2)
    village.send(replace(PLAY, message_id="m9", chain_id="c9"))
    assert [receipt.message_id for receipt in village.kept()] == ["m9"]


@given(st.lists(st.tuples(st.sampled_from(["play", "ack", "cut"]), st.integers(1, 6)), max_size=12))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_receipt_is_lost_or_renumbered_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    village = Village(tmp_path_factory.mktemp("village"))
    expected: list[tuple[str, int]] = []
    counts: dict[str, int] = {}
    sent = 0
    for step, number in steps:
        boot = village.terminal.boot_id
        if step == "play":
            sent += 1
            village.send(replace(PLAY, message_id=f"m{sent}", chain_id=f"c{sent}"))
            counts[boot] = counts.get(boot, 0) + 1
            expected.append((boot, counts[boot]))
        elif step == "ack":
            confirm(village, number)
            expected = [known for known in expected if known[0] != boot or known[1] > number]
        else:
            village = village.restarted()
        assert sorted((receipt.boot_id, receipt.n) for receipt in village.kept()) == sorted(expected)
    village.close()


def test_stages_of_the_contract() -> None:
    assert "|".join(Stage) == "received|playing|played|stopped|failed"
