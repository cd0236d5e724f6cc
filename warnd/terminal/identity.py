"""Who a terminal is and whom it obeys: fixed for one start."""

from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from warnd.model.loudspeaker import Command, Lineage, Refused, Topic, Trust, Why
from warnd.model.loudspeaker.command import CHAINED
from warnd.terminal.timekeeping import Timekeeper


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One terminal at one start.

    Attributes:
        terminal: Its id, which is also its user name at the broker.
        lineage: Where it stands.
        key: Signs its receipts for both roots.
        trust: Which keys may command it.
        boot_id: Fresh for every start; receipts count from 1 in it, and `time` is signed for it.
    """

    terminal: str
    lineage: Lineage
    key: Ed25519PrivateKey
    trust: Trust
    boot_id: str

    def check(self, command: Command, topic: Topic, *, time: Timekeeper) -> None:
        """Return if this terminal is meant by a verified command and may be commanded by its key.

        Raises:
            Refused: unknown_key for a key that has run out or commands other regions; not_for_me.
        """
        key = self.trust[command.kid]
        if key.not_after is not None and time.past(key.not_after):
            raise Refused(Why.UNKNOWN_KEY, f"key {command.kid} was good until {_day(key.not_after)}")
        if key.regions is not None and not self.lineage.under(key.regions):
            raise Refused(
                Why.UNKNOWN_KEY, f"key {command.kid} commands {', '.join(key.regions)}, not {self.lineage.own}"
            )
        if (command.root, command.to) != (topic.root, topic.to):
            raise Refused(Why.NOT_FOR_ME, f"{command.root} {command.to} on a topic of {topic.root} {topic.to}")
        if topic.kind == "command" and topic.name != self.terminal:
            raise Refused(Why.NOT_FOR_ME, f"this is {self.terminal}, not {topic.name}")
        if topic.kind == "region_command":
            self._check_region(command, topic)

    def _check_region(self, command: Command, topic: Topic) -> None:
        if topic.name not in self.lineage.codes:
            raise Refused(Why.NOT_FOR_ME, f"{self.lineage.own} does not lie in {topic.name}")
        if command.verb not in CHAINED:
            raise Refused(Why.NOT_FOR_ME, f"{command.verb} is for one terminal, not for a region")
        if command.chain_id != topic.chain_id:
            raise Refused(Why.NOT_FOR_ME, f"chain {command.chain_id} on the topic of chain {topic.chain_id}")


def _day(moment: datetime) -> str:
    return moment.date().isoformat()
