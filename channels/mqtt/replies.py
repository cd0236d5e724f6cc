"""What a terminal is told back outside of any warning: that its receipts are committed, and what time it is."""

from channels.mqtt.line import Line
from channels.mqtt.parcels import Post
from warnd.clock import Clock

_TIME_AGAIN_S = 60.0  # A terminal whose clock stays unset says so with every heartbeat; it need not be told each time.


class Replies:
    """Publishes them, never waiting: a reply that is lost is asked for again by the terminal's next word."""

    def __init__(self, line: Line, post: Post, clock: Clock) -> None:
        self._line = line
        self._post = post
        self._clock = clock
        self._told: dict[str, tuple[str, float]] = {}  # Terminal -> the boot that was told the time, and when.

    def committed(self, terminal: str, *, boot_id: str, n: int) -> None:
        """Tell a terminal that its receipts 1..n of this boot are committed."""
        self._line.hand_out(self._post.ack(terminal, boot_id=boot_id, n=n))

    def clockless(self, terminal: str, *, boot_id: str) -> None:
        """Tell a terminal the time: once per boot, and again once a minute while it still asks."""
        told_boot_id, told_at = self._told.get(terminal, (None, 0.0))
        now = self._clock.monotonic()
        if told_boot_id == boot_id and now - told_at < _TIME_AGAIN_S:
            return
        self._told[terminal] = (boot_id, now)
        self._line.hand_out(self._post.time(terminal, boot_id=boot_id))
