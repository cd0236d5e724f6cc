"""What every part of one daemon stands on: whoever joins parts is handed this, and says only what it adds."""

import random
from dataclasses import dataclass

from warnd.bell import Bell
from warnd.clock import Clock
from warnd.daemon.files import Files
from warnd.dispatch.metrics import Metrics
from warnd.ledger.store import Ledger
from warnd.model.region import stored_code
from warnd.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What is the same for all parts of one daemon.

    Attributes:
        chance: For what nobody may guess, too, unless a test hands in another.
        writer: The mark of this process start.
        tag: The store's mark in public attempt ids.
        public_url: As people see the site.
        alone: No other worker may share the store.
    """

    settings: Settings
    files: Files
    ledger: Ledger
    clock: Clock
    chance: random.Random
    writer: str
    tag: str
    answer_key: bytes
    public_url: str
    alone: bool
    bell: Bell
    metrics: Metrics

    @property
    def jurisdiction(self) -> tuple[str, ...]:
        """Return the codes of the regions that this node serves, as stored; empty = all."""
        return tuple(stored_code(code) for code in self.settings.node.jurisdiction)
