"""The senders of one lane as this worker sees them: which can carry a try, and what to tell of those that cannot."""

from collections.abc import Mapping

from warnd.channel import Channel, Sender, Sendered
from warnd.dispatch.metrics import Metrics
from warnd.dispatch.pace import Places
from warnd.ledger.allotment import Offer
from warnd.model import sender as model
from warnd.model.sender import Standing

_LONG_MS = 10_000  # A pause for longer holds urgent tries up as a rest does.
_STATES = {"closed": 0, "half_open": 1, "open": 2}
_ONLY = Sender("")


class Senders:
    """What a lane knows of its channel's senders; a channel without that face is one sender, named ""."""

    def __init__(self, lane: str, channel: Channel, metrics: Metrics) -> None:
        self._lane = lane
        self._channel = channel
        self._metrics = metrics
        self._faced = channel if isinstance(channel, Sendered) else None
        self._each = {one.name: one for one in (self._faced.senders() if self._faced else (_ONLY,))}
        self._standings: dict[str, Standing] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Return their names, in the order of the settings."""
        return tuple(self._each)

    def learn(self, standings: Mapping[str, Standing], now_ms: int) -> None:
        """Take in what the ledger tells of them."""
        self._standings.update(standings)
        if self._faced is None:
            return
        usual = model.usual_ms(list(self._standings.values()))
        for name, one in self._each.items():
            standing = self._of(name)
            worth = model.worth(standing, usual_ms=usual, now_ms=now_ms)
            state = model.breaker(standing, now_ms)
            self._metrics.sender(self._lane, name, weight=one.weight * worth / 1000, breaker=_STATES[state])

    def watched(self, now_ms: int) -> bool:
        """Say whether one of them was in trouble at the last look, so that the next one must tell how it fares."""
        return any(self._rests(name, now_ms) or model.waits_ms(self._of(name), now_ms) for name in self._each)

    def offers(self, places: Places, spent: Mapping[str, int], now_ms: int) -> list[Offer]:
        """Return them as a claim needs them."""
        offers = []
        for name, one in self._each.items():
            free = 1_000_000 if one.concurrency is None else max(0, one.concurrency - places.under_way(name))
            if self._trouble(name) is not None or model.admits(self._of(name), now_ms) == 0:
                free = 0
            offers.append(Offer(name, one.weight, one.rate_per_s, free, spent.get(name, 0)))
        return offers

    def others(self, sender: str, now_ms: int) -> int:
        """Return how many senders beside this one could take a try now."""
        return sum(name != sender and self._sound(name, now_ms) for name in self._each)

    def blocked(self, now_ms: int) -> str | None:
        """Return why nothing can leave by any of them, or None."""
        if problem := self._channel.problem():
            return problem
        if any(self._sound(name, now_ms) for name in self._each):
            return None
        pausing = [name for name in self._each if self._trouble(name) is None and not self._rests(name, now_ms)]
        if any(model.waits_ms(self._of(name), now_ms) < _LONG_MS for name in pausing):
            return None
        told = "; ".join(f"{name or self._lane}: {self.ailing(name, now_ms)}" for name in self._each)
        return f"Nothing leaves by it but single tries. Urgent deliveries go by their next channel. {told}"

    def problem(self, now_ms: int) -> str | None:
        """Return why nothing can leave at this moment although the channel sees no problem; None while a try may show that it can."""
        if self._channel.problem() or any(
            self._trouble(name) is None and model.admits(self._of(name), now_ms) != 0 for name in self._each
        ):
            return None
        return self.blocked(now_ms)

    def degraded(self, now_ms: int) -> str | None:
        """Return which of its senders does not carry its part, or None; in the same words while its cause stays."""
        if self._faced is None or self._channel.problem() or self.problem(now_ms) is not None:
            return None
        ailing = {name: told for name in self._each if (told := self.ailing(name, now_ms))}
        if not ailing:
            return None
        well = " and ".join(name for name in self._each if name not in ailing)
        alone = f"Everything leaves by {well} alone; if that fails, nothing does. " if well else ""
        return alone + "; ".join(f"{name}: {told}" for name, told in ailing.items())

    def ailing(self, name: str, now_ms: int) -> str | None:
        """Return why one of them is not relied upon, or None if it is."""
        if trouble := self._trouble(name):
            return trouble
        standing = self._of(name)
        if self._rests(name, now_ms) or model.waits_ms(standing, now_ms):
            return f"It is tried now and then after: {standing.cause}."
        return None

    def _sound(self, name: str, now_ms: int) -> bool:
        standing = self._of(name)
        well = not self._rests(name, now_ms) and not model.waits_ms(standing, now_ms)
        return self._trouble(name) is None and well

    def _rests(self, name: str, now_ms: int) -> bool:
        return model.breaker(self._of(name), now_ms) != "closed"

    def _trouble(self, name: str) -> str | None:
        return self._faced.trouble(name) if self._faced is not None else self._channel.problem()

    def _of(self, name: str) -> Standing:
        return self._standings.get(name) or Standing()
