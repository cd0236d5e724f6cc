"""The order of acknowledgements: arrival, whatever the order of commits; past a stuck one; nothing twice, nothing lost."""

from hypothesis import given
from hypothesis import strategies as st

from channels.mqtt.ackorder import AckOrder


@given(st.permutations(range(1, 12)))
def test_acknowledgements_leave_in_the_order_of_arrival(commits: list[int]) -> None:
    order = AckOrder()
    for packet_id in range(1, 12):
        order.arrived(packet_id)
    assert [free for packet_id in commits for free in order.done(packet_id)] == list(range(1, 12))


@given(st.permutations(range(1, 10)), st.sets(st.integers(1, 9)))
def test_stuck_receipts_hold_up_nothing_and_are_acknowledged_when_they_are_committed(
    commits: list[int], stuck: set[int]
) -> None:
    order = AckOrder()
    for packet_id in range(1, 10):
        order.arrived(packet_id)
    left = [free for packet_id in stuck for free in order.stuck(packet_id)]
    for packet_id in commits:
        left += order.done(packet_id)
    assert sorted(left) == list(range(1, 10))
    assert [packet_id for packet_id in left if packet_id not in stuck] == sorted(set(range(1, 10)) - stuck)


def test_what_waited_behind_a_stuck_receipt_is_freed_by_setting_it_aside() -> None:
    order = AckOrder()
    for packet_id in (1, 2, 3):
        order.arrived(packet_id)
    assert order.done(2) == []
    assert order.stuck(1) == [2]
    assert order.done(3) == [3]
    assert order.done(1) == [1]


def test_a_packet_id_can_be_used_again_after_its_acknowledgement() -> None:
    order = AckOrder()
    for _ in range(2):
        order.arrived(7)
        assert order.done(7) == [7]
