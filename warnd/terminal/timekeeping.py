"""What time it is in a village, where clocks stop with the power, and how long a command lives there (DESIGN §9).

Time comes from the machine's clock where that can be believed, and from signed `time` commands for this very start of the terminal.
It never falls below the newest that was verified, which is kept on disk. Where neither is there, a life is counted on the monotonic
clock alone.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from warnd.clock import Clock
from warnd.model.loudspeaker import ClockState
from warnd.model.loudspeaker.fields import FormatError, parse_time, time_text
from warnd.terminal.disk import Disk

EARLIEST: Final = datetime(2025, 1, 1, tzinfo=UTC)  # This program is younger, so a clock that shows less was never set.
_FILE: Final = "newest-time"


@dataclass(frozen=True, slots=True)
class Life:
    """How long a command may be obeyed.

    Attributes:
        expires_at: The last moment, aware UTC.
        deadline: The same on the monotonic clock of this start, for when the time is not known; None = not counted in this start.
    """

    expires_at: datetime
    deadline: float | None


class Timekeeper:
    """The terminal's own idea of time.

    Args:
        trust_system: False on machines whose clock nobody sets: then only signed time counts.
    """

    def __init__(self, clock: Clock, disk: Disk, *, trust_system: bool) -> None:
        self._clock = clock
        self._disk = disk
        self._floor = self._read_floor()
        self._trust_system = trust_system
        self._anchor: tuple[datetime, float] | None = None

    def _read_floor(self) -> datetime | None:
        text = self._disk.read(_FILE)
        if text is None:
            return None
        try:
            return parse_time(text.strip())
        except FormatError:
            self._disk.set_aside(_FILE)
            return None

    @property
    def state(self) -> ClockState:
        """Whether the time is known."""
        return ClockState.UNSYNCED if self.known() is None else ClockState.SYNCED

    def set(self, at: datetime) -> None:
        """Take a verified time that was signed for this start."""
        known = self.known()
        if known is None or at > known:
            self._anchor = (at, self._clock.monotonic())
        if self._floor is None or at > self._floor:
            self._floor = at
            self._disk.write(_FILE, time_text(at))

    def known(self) -> datetime | None:
        """Return the time, or None where it is not known."""
        shown = self._clock.now()
        told = [shown] if self._trust_system and shown >= max(EARLIEST, self._floor or EARLIEST) else []
        if self._anchor is not None:
            at, since = self._anchor
            told.append(at + timedelta(seconds=self._clock.monotonic() - since))
        if not told:
            return None
        return max(told) if self._floor is None else max(*told, self._floor)

    def stamp(self) -> datetime:
        """Return the best there is for writing on a receipt."""
        known = self.known()
        if known is not None:
            return known
        return self._clock.now() if self._floor is None else max(self._floor, self._clock.now())

    def past(self, moment: datetime) -> bool:
        """Return whether `moment` has certainly passed."""
        known = self.known() or self._floor
        return known is not None and known >= moment

    def life(self, *, expires_at: datetime, ttl_s: int, broker_s: int | None) -> Life:
        """Return the life of a command that arrives now; `broker_s` is what the broker says remains, None if it says nothing."""
        seconds = ttl_s if broker_s is None else min(ttl_s, broker_s)
        return Life(expires_at, self._clock.monotonic() + seconds)

    def over(self, life: Life) -> bool:
        """Return whether a life is certainly over."""
        if self.known() is not None or self.past(life.expires_at):
            return self.past(life.expires_at)
        return life.deadline is not None and self._clock.monotonic() >= life.deadline

    def alive(self, life: Life) -> bool:
        """Return whether a life certainly lasts; without time and deadline neither this nor `over` holds."""
        return not self.over(life) and (self.known() is not None or life.deadline is not None)

    def remaining_s(self, life: Life) -> float:
        """Return for how long a life may last at most from now, 0 or more."""
        known = self.known()
        if known is not None:
            return max(0.0, (life.expires_at - known).total_seconds())
        return 0.0 if life.deadline is None else max(0.0, life.deadline - self._clock.monotonic())
