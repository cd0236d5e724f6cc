"""Plans: who hears what, by which channels, with what proof. Policy as data; nothing here reads a file.

A plan is frozen into the ledger with the warning it governs (`to_dict`), so that a later change of the files changes nothing under way.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

from warnd.model.evidence import Evidence
from warnd.model.level import Level

AudienceKind = Literal["seats", "terminals", "public"]
Where = Literal["village", "targeted", "ancestors"]
TerminalRule = Literal["both", "either"]
BareRule = Literal["officer_and_door", "officer"]


@dataclass(frozen=True, slots=True)
class Audience:
    """One group of a plan, in the plan's order; a recipient in several belongs to the first.

    Attributes:
        roles: For seats: the roles that belong; empty for terminals and public.
        where: For seats, at which regions the seat may be: targeted villages; every targeted region (villages and above); or the
            ancestors of what is targeted, within the jurisdiction. Several may be named.
        channels: Names in order of preference.
        parallel: True starts all channels at once, False the next when one fails.
        proof: What satisfies a delivery to this audience.
        tries: Tries per leg while only silence answers, 1 or more.
        wait_s: Seconds of silence before the next try, and before the last one counts as exhausted.
        within_s: Seconds after release by which the proof is due; None = no deadline.
    """

    name: str
    kind: AudienceKind
    roles: tuple[str, ...]
    where: tuple[Where, ...]
    channels: tuple[str, ...]
    parallel: bool
    proof: Evidence
    tries: int
    wait_s: int
    within_s: int | None


@dataclass(frozen=True, slots=True)
class Loudspeaker:
    """How village loudspeakers play: `repeat` passes, again `every_s` seconds until the end; `hours` = local window or None for always."""

    repeat: int
    every_s: int | None
    volume: int
    hours: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class VillageRule:
    """What confirms a village, with and without a terminal of its own; `within_s` after release it counts as late."""

    terminal: TerminalRule
    bare: BareRule
    within_s: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What one combination of hazard, level and status asks for.

    Attributes:
        hazards: CAP event names or event codes it is for; ("*",) = any.
        cancel_tries, cancel_wait_s: How often a Cancel or an area notice is repeated to persons while its arrival is unproved.
    """

    name: str
    hazards: tuple[str, ...]
    levels: tuple[Level, ...]
    statuses: tuple[str, ...]
    audiences: tuple[Audience, ...]
    loudspeaker: Loudspeaker
    village: VillageRule
    cancel_tries: int
    cancel_wait_s: int

    def matches(self, *, hazards: tuple[str, ...], level: Level, status: str) -> bool:
        """Say whether this plan governs a warning of this level and status with any of these hazard names."""
        named = "*" in self.hazards or bool(set(self.hazards) & set(hazards))
        return named and level in self.levels and status in self.statuses

    def for_roles_only(self) -> Self:
        """Return the plan without loudspeakers and public: what a warning that is not for everybody may use."""
        return replace(self, audiences=tuple(one for one in self.audiences if one.kind == "seats"))

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-ready values, to be kept with the warning."""
        return asdict(self)

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Self:
        """Rebuild a plan from what `to_dict` gave, before or after JSON."""
        return cls(
            name=kept["name"],
            hazards=tuple(kept["hazards"]),
            levels=tuple(Level(level) for level in kept["levels"]),
            statuses=tuple(kept["statuses"]),
            audiences=tuple(_audience(each) for each in kept["audiences"]),
            loudspeaker=_loudspeaker(kept["loudspeaker"]),
            village=VillageRule(**kept["village"]),
            cancel_tries=kept["cancel_tries"],
            cancel_wait_s=kept["cancel_wait_s"],
        )


def _audience(kept: Mapping[str, Any]) -> Audience:
    lists = {key: tuple(kept[key]) for key in ("roles", "where", "channels")}
    return Audience(**{**kept, **lists, "proof": Evidence(kept["proof"])})


def _loudspeaker(kept: Mapping[str, Any]) -> Loudspeaker:
    hours = kept["hours"]
    return Loudspeaker(**{**kept, "hours": (hours[0], hours[1]) if hours else None})


def choose(plans: tuple[Plan, ...], *, hazards: tuple[str, ...], level: Level, status: str) -> Plan | None:
    """Return the first plan that matches; plans that name a hazard go before those for any hazard."""
    ordered = sorted(plans, key=lambda plan: "*" in plan.hazards)
    return next((plan for plan in ordered if plan.matches(hazards=hazards, level=level, status=status)), None)
