"""The topics of loudspeaker protocol v1: how each is written, and what a written one means (DESIGN §9)."""

from dataclasses import dataclass
from typing import Final, Literal

from warnd.model.loudspeaker.fields import is_label
from warnd.model.loudspeaker.regions import Lineage, padded

LIVE_ROOT: Final = "warnd/v1"
DRILL_ROOT: Final = "warnd-drill/v1"
ROOTS: Final = (LIVE_ROOT, DRILL_ROOT)

Kind = Literal["region_command", "command", "receipt", "state"]


def region_command_topic(root: str, code: str, chain_id: str) -> str:
    """Return the retained topic of one chain in one region; `code` may be short, the topic carries it padded."""
    return f"{root}/region/{padded(code)}/command/{chain_id}"


def terminal_command_topic(root: str, terminal: str) -> str:
    """Return the topic of commands to one terminal."""
    return f"{root}/terminal/{terminal}/command"


def receipt_topic(root: str, terminal: str) -> str:
    """Return the topic on which one terminal proves what it did; "+" for all terminals."""
    return f"{root}/terminal/{terminal}/receipt"


def state_topic(root: str, terminal: str) -> str:
    """Return the retained topic of one terminal's presence and health; "+" for all terminals."""
    return f"{root}/terminal/{terminal}/state"


def command_filters(root: str, lineage: Lineage, terminal: str) -> tuple[str, ...]:
    """Return what a terminal subscribes to under one root: its own topic, its region and each ancestor."""
    regions = tuple(region_command_topic(root, code, "+") for code in lineage.codes)
    return (terminal_command_topic(root, terminal), *regions)


@dataclass(frozen=True, slots=True)
class Topic:
    """What a topic says.

    Attributes:
        name: The region's code as it stands in the topic, or the terminal's id.
        chain_id: Only in a region's command topic.
    """

    root: str
    kind: Kind
    name: str
    chain_id: str | None = None

    @property
    def to(self) -> str:
        """The `to` that fits this topic: "region:<code>" or "terminal:<id>"."""
        return f"region:{self.name}" if self.kind == "region_command" else f"terminal:{self.name}"


def parse_topic(text: str) -> Topic | None:
    """Return what a topic says, or None if it is none of this protocol."""
    root = next((root for root in ROOTS if text.startswith(root + "/")), None)
    if root is None:
        return None
    levels = text[len(root) + 1 :].split("/")
    if not all(is_label(level) for level in levels):
        return None
    match levels:
        case ["region", code, "command", chain_id]:
            return Topic(root, "region_command", code, chain_id=chain_id)
        case ["terminal", terminal, ("command" | "receipt" | "state") as kind]:
            return Topic(root, kind, terminal)
        case _:
            return None
