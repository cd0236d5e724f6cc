"""How many tries a claim may take and who carries each: tokens, breakers and weights, within the claim's transaction.

All workers share them; a claim holds its lane's rows until it is committed.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, text

from warnd.ledger import senders
from warnd.ledger.values import many
from warnd.model import sender as model
from warnd.model.sender import Standing

SLICE_MS = 500  # One claim takes at most this much of a rate, so that a cancel finds little under way.
SHARE = 16  # Of so many tries one goes to whoever has waited longest, whatever its rank.
_ONE = 1_000
_BACK_MS = 5_000  # A clock that is behind by less belongs to another worker; one by more was put back.

_HELD = text("UPDATE lane_state SET claimed = claimed WHERE lane = :lane RETURNING credit, credited_at, claimed")
_MADE = text(
    "INSERT INTO lane_state (lane, credit, credited_at, claimed) VALUES (:lane, :credit, :now, 0) ON CONFLICT DO NOTHING"
)
_SAVE_LANE = text(
    "UPDATE lane_state SET credit = :credit, credited_at = :credited_at, claimed = :claimed WHERE lane = :lane"
)
_SAVE_CREDIT = text(
    "UPDATE sender_state SET credit = :credit, credited_at = :credited_at WHERE lane = :lane AND sender = :sender"
)
_LATEST = many(
    "SELECT a.leg_no, a.state, a.sender FROM leg l JOIN attempt a ON a.leg_no = l.no AND a.number > l.attempts - :most "
    "WHERE l.no IN :nos AND l.failures > 0 ORDER BY a.leg_no, a.number DESC",
    "nos",
)


@dataclass(frozen=True, slots=True)
class Offer:
    """One sender as the claiming worker sees it.

    Attributes:
        places: Tries that this worker can begin by it now; 0 also while it is in trouble.
        spent: Segments beyond one each that its earlier claims turned out to cost.
    """

    name: str
    weight: int = 1
    rate_per_s: float | None = None
    places: int = 1_000_000
    spent: int = 0


@dataclass(frozen=True, slots=True)
class Room:
    """How many tries may be claimed: all of them, all but cancels', and all but the urgent ones'."""

    cancels: int
    urgent: int
    ordinary: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What a worker may take in one claim.

    Attributes:
        rate_per_s: Segments per second of the whole lane, over all workers.
        spent: As in `Offer`, for the whole lane.
        offers: At least one, in the order of the settings.
    """

    rate_per_s: float
    room: Room
    offers: Sequence[Offer]
    spent: int = 0


@dataclass(slots=True)
class _Purse:
    """Tokens in thousandths of a segment, as of `at`."""

    credit: int
    at: int

    def refill(self, rate_per_s: float, now_ms: int, *, spent: int) -> None:
        past = now_ms - self.at
        gained = int(max(0, past) * rate_per_s)
        self.credit = min(full(rate_per_s), self.credit - spent * _ONE + gained)
        if gained or past < -_BACK_MS:  # Else a slow lane that is asked often would gain nothing, for ever.
            self.at = now_ms


@dataclass(slots=True)
class Allotment:
    """One claim's share; made by `allot`, ended by `settle`.

    Attributes:
        limit: The most that may be claimed.
    """

    lane: str
    limit: int
    now_ms: int
    _claimed: int
    _purse: _Purse
    _offers: Mapping[str, Offer]
    _standings: dict[str, Standing]
    _purses: dict[str, _Purse]
    _room: dict[str, int]
    _taken: Counter[str] = field(default_factory=Counter)

    def turns(self, tries: int) -> int:
        """Return how many of so many tries go to whoever has waited longest."""
        return (self._claimed + tries) // SHARE - self._claimed // SHARE

    def assign(self, conn: Connection, nos: Sequence[int]) -> dict[int, str]:
        """Return who carries each leg; those that nobody can carry now are missing, and stay due."""
        usual = model.usual_ms(list(self._standings.values()))
        weights = {
            name: offer.weight * model.worth(self._standings[name], usual_ms=usual, now_ms=self.now_ms)
            for name, offer in self._offers.items()
        }
        turns = {name: standing.turn for name, standing in self._standings.items()}
        failed = _failed(conn, nos, most=len(self._offers) - 1)
        sound = {name: weight for name, weight in weights.items() if self._closed(name)}
        probe = self._probe(weights, nos) if any(self._room[name] for name in sound) else None
        carriers: dict[int, str] = {}
        for no in nos:
            if probe is not None and no == nos[-1] and probe not in failed.get(no, ()):
                name: str | None = probe
            else:
                name = self._next(sound, turns, failed.get(no, ())) or self._next(weights, turns, failed.get(no, ()))
            if name is not None:
                carriers[no] = name
                self._taken[name] += 1
                if not self._closed(name):
                    self._standings[name] = replace(self._standings[name], probe_leg=no)
        for name, turn in turns.items():
            self._standings[name] = replace(self._standings[name], turn=turn)
        return carriers

    def _probe(self, weights: Mapping[str, int], nos: Sequence[int]) -> str | None:
        """Return a sender that may show whether it is back, by the least urgent of several tries: the others go by sound ones."""
        if len(nos) < 2:  # noqa: PLR2004 - of one try, nothing is less urgent
            return None
        backs = [name for name, weight in weights.items() if weight and not self._closed(name) and self._room[name]]
        return next((name for name in backs if self._pays(name)), None)

    def _next(self, weights: Mapping[str, int], turns: dict[str, int], failed: Collection[str]) -> str | None:
        """Choose among the senders of a leg: another than those that just failed it, and one without a weight only for want of others."""
        places = [name for name in weights if self._room[name] > self._taken[name]]
        fresh = [name for name in places if name not in failed] or places
        weighted = {name: weights[name] for name in fresh if weights[name]} or dict.fromkeys(fresh, 1)
        payable = {name: weight for name, weight in weighted.items() if self._pays(name)}
        if not payable:
            return None
        return next(iter(payable)) if len(payable) == 1 else model.next_in_turn(turns, payable)

    def _closed(self, name: str) -> bool:
        return model.breaker(self._standings[name], self.now_ms) == "closed"

    def _pays(self, name: str) -> bool:
        return name not in self._purses or self._purses[name].credit >= (self._taken[name] + 1) * _ONE

    def settle(self, conn: Connection, *, lease_ms: int) -> None:
        """Write what was taken."""
        taken = sum(self._taken.values())
        conn.execute(
            _SAVE_LANE,
            {
                "lane": self.lane,
                "credit": self._purse.credit - taken * _ONE,
                "credited_at": self._purse.at,
                "claimed": self._claimed + taken,
            },
        )
        for name, purse in self._purses.items():
            values = {"credit": purse.credit - self._taken[name] * _ONE, "credited_at": purse.at}
            conn.execute(_SAVE_CREDIT, {"lane": self.lane, "sender": name, **values})
        for name in self._taken:
            standing = self._standings[name]
            if not self._closed(name):
                standing = replace(standing, probe_until=self.now_ms + lease_ms)
            if not self._closed(name) or len(self._offers) > 1:
                senders.save(conn, (self.lane, name), standing)


def full(rate_per_s: float) -> int:
    """Return the most thousandths of a segment that a rate saves up: a slice, and never less than one segment."""
    return max(_ONE, int(rate_per_s * SLICE_MS))


def allot(conn: Connection, *, lane: str, limit: int, terms: Terms, now_ms: int) -> Allotment:
    """Hold the lane's rows until the end of this transaction, and work out what may be claimed."""
    row = conn.execute(_HELD, {"lane": lane}).one_or_none()
    if row is None:
        conn.execute(_MADE, {"lane": lane, "credit": full(terms.rate_per_s), "now": now_ms})
        row = conn.execute(_HELD, {"lane": lane}).one()
    purse = _Purse(row.credit, row.credited_at)
    purse.refill(terms.rate_per_s, now_ms, spent=terms.spent)
    standings: dict[str, Standing] = {}
    purses: dict[str, _Purse] = {}
    room: dict[str, int] = {}
    for offer in terms.offers:
        standings[offer.name], own = _held(conn, lane, offer, now_ms)
        if own is not None:
            purses[offer.name] = own
        admitted = model.admits(standings[offer.name], now_ms)
        room[offer.name] = max(0, offer.places if admitted is None else min(offer.places, admitted))
    payable = sum(min(n, purses[name].credit // _ONE) if name in purses else n for name, n in room.items())
    most = max(0, min(limit, payable, purse.credit // _ONE))
    return Allotment(
        lane,
        most,
        now_ms,
        row.claimed,
        purse,
        {offer.name: offer for offer in terms.offers},
        standings,
        purses,
        room,
    )


def _held(conn: Connection, lane: str, offer: Offer, now_ms: int) -> tuple[Standing, _Purse | None]:
    row = senders.held(conn, lane=lane, sender=offer.name)
    if row is None:
        credit = 0 if offer.rate_per_s is None else full(offer.rate_per_s)
        senders.enrol(conn, lane=lane, sender=offer.name, credit=credit, now_ms=now_ms)
        row = senders.held(conn, lane=lane, sender=offer.name)
    assert row is not None, "it was just made"
    if offer.rate_per_s is None:
        return senders.standing(row), None
    purse = _Purse(row.credit, row.credited_at)
    purse.refill(offer.rate_per_s, now_ms, spent=offer.spent)
    return senders.standing(row), purse


def _failed(conn: Connection, nos: Sequence[int], *, most: int) -> dict[int, list[str]]:
    """Return by which senders the latest tries of these legs failed in a row, newest first, at most `most` of them."""
    if most < 1 or not nos:
        return {}
    found: dict[int, list[str]] = {}
    ended: set[int] = set()
    for row in conn.execute(_LATEST, {"nos": list(nos), "most": most}):
        if row.state != "failed" or row.sender is None:
            ended.add(row.leg_no)
        elif row.leg_no not in ended:
            found.setdefault(row.leg_no, []).append(row.sender)
    return found
