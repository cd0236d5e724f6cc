"""The order in which PUBACKs leave for what came in: that of arrival (MQTT 5.0 §4.6), except past a receipt that is stuck."""


class AckOrder:
    """Says which packet ids may be acknowledged now. One of these per connection; it sends nothing itself.

    A receipt that the ledger keeps refusing is set aside, so that the rest need not wait for it until the broker's window
    is full: brokers look the id up, and a village that was heard must not stay silent in the books for another one's sake.
    """

    def __init__(self) -> None:
        self._line: dict[int, bool] = {}  # Packet id -> whether it is done, oldest first.
        self._aside: set[int] = set()

    def arrived(self, packet_id: int) -> None:
        """Note a PUBLISH that will want a PUBACK."""
        self._line[packet_id] = False

    def done(self, packet_id: int) -> list[int]:
        """Return what may be acknowledged now that this one is committed, in order."""
        if packet_id in self._aside:
            self._aside.remove(packet_id)
            return [packet_id]
        self._line[packet_id] = True
        return self._head()

    def stuck(self, packet_id: int) -> list[int]:
        """Set one aside; return what may be acknowledged now that nothing waits for it."""
        if self._line.pop(packet_id, None) is not None:
            self._aside.add(packet_id)
        return self._head()

    def _head(self) -> list[int]:
        free = []
        while self._line and self._line[oldest := next(iter(self._line))]:
            del self._line[oldest]
            free.append(oldest)
        return free
