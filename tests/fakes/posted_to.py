"""What the other sides have in common that a channel posts to and that never say more than their answer."""

from tests.contract.harness import Fault
from tests.fakes.receiver import Receiver
from warnd.channel import Outgoing, Receipt


class PostedTo:
    """The half of `OtherSide` that steers a receiver; `takes` is the status with which it takes a post.

    It cannot die: one server that is gone troubles only its own posts, so the channel has no problem.
    """

    faults: frozenset[Fault] = frozenset({"refuse", "hang"})
    receipts = False
    takes = 200

    def __init__(self, taking: Receiver) -> None:
        self.terminal_keys: dict[str, bytes] = {}
        self._taking = taking

    def announce(self, message_id: str) -> None:
        """Fail: there is no public site here."""
        raise AssertionError(f"{message_id} was announced")

    async def accept(self) -> None:
        """Take everything again."""
        self._taking.answer(self.takes)

    async def refuse(self) -> None:
        """Answer that it cannot."""
        self._taking.answer(500, "out of order")

    async def hang(self) -> None:
        """Take requests and say nothing."""
        self._taking.hang()

    async def die(self) -> None:
        """Fail: see `faults`."""
        raise AssertionError("one server that is gone is no trouble of the channel")

    async def give_receipt(self, outgoing: Outgoing) -> None:
        """Fail: they tell nothing."""
        raise AssertionError(f"nobody can send a receipt for {outgoing.attempt}")

    def is_receipt_for(self, receipt: Receipt, outgoing: Outgoing) -> bool:
        """Fail: there are none."""
        raise AssertionError(f"{receipt} cannot be for {outgoing.attempt}")
