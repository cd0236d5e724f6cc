"""Who acts, and what they may do."""

from dataclasses import dataclass
from typing import Literal

Scope = Literal["read", "submit", "release", "admin"]

_IMPLIED: dict[Scope, frozenset[Scope]] = {
    "read": frozenset({"read"}),
    "submit": frozenset({"submit", "read"}),
    "release": frozenset({"release", "submit", "read"}),
    "admin": frozenset({"admin", "release", "submit", "read"}),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever knocks at a door, after the door has checked who it is.

    Attributes:
        name: For the record: "token:7", "folder", "operator".
        scope: What it may do; wider scopes include narrower ones.
        senders: CAP senders it may speak for; empty = any.
        region: Code of the subtree its warnings may target; None = the whole jurisdiction.
    """

    name: str
    scope: Scope
    senders: frozenset[str] = frozenset()
    region: str | None = None

    def may(self, scope: Scope) -> bool:
        """Say whether this principal's scope includes `scope`."""
        return scope in _IMPLIED[self.scope]

    def speaks_for(self, sender: str) -> bool:
        """Say whether it may bring in a message of this CAP sender."""
        return not self.senders or sender in self.senders


@dataclass(frozen=True, slots=True)
class Authority:
    """Which senders are superior to which, from `config/authority.toml`.

    Attributes:
        superiors: Sender -> the senders directly above it.
    """

    superiors: dict[str, frozenset[str]]

    def may_change(self, *, sender: str, chain_sender: str) -> bool:
        """Say whether `sender` may update or cancel a chain begun by `chain_sender`: itself, or anyone above it."""
        seen: set[str] = set()
        above = {chain_sender}
        while above:
            if sender in above:
                return True
            seen |= above
            above = {one for each in above for one in self.superiors.get(each, frozenset())} - seen
        return False
