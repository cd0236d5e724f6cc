"""Whether no message is open anywhere, so that nobody has to look every second for what time alone makes due.

It only spares looks: whoever waits is still woken by the bell, and looks for itself now and then all the same. Decides nothing.
"""

from typing import Final

from warnd.bell import Bell
from warnd.clock import Clock
from warnd.ledger import messages
from warnd.ledger.store import Ledger

_REST_S: Final = 30.0
_BUSY_S: Final = 2.0  # Between two looks while something is open, which lasts for hours.


class Quiet:
    """Known by a look at the ledger, and over with the next ring of the bell."""

    def __init__(self, ledger: Ledger, clock: Clock, *, bell: Bell) -> None:
        self._ledger = ledger
        self._clock = clock
        self._bell = bell
        self._rings: int | None = None  # When the look began that found nothing open; None = something was.
        self._look_at = float("-inf")

    @property
    def reigns(self) -> bool:
        """Whether nothing was open at the last look, and nothing was told since."""
        return self._rings == self._bell.rings

    def pause_s(self, busy_s: float) -> float:
        """Return how long to wait for the bell: `busy_s`, or long while it is quiet."""
        return _REST_S if self.reigns else busy_s

    async def look(self) -> None:
        """Look whether anything is open, every time while it is quiet: what another program opened rings no bell here.

        Raises:
            SQLAlchemyError: The ledger does not answer.
        """
        if not self.reigns and self._clock.monotonic() < self._look_at:
            return
        self._look_at = self._clock.monotonic() + _BUSY_S
        reigned, rings = self.reigns, self._bell.rings
        opened = await self._ledger.read(messages.any_open)
        self._rings = None if opened else rings
        if opened and reigned:
            self._bell.ring()
