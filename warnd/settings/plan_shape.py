"""How a plan is written in TOML: its keys, their ranges and defaults. What the keys mean is said in `warnd.model.plan`."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator

from warnd.model.evidence import Evidence
from warnd.model.plan import Audience, AudienceKind, BareRule, Loudspeaker, Plan, TerminalRule, VillageRule, Where
from warnd.settings.explain import UnfitError
from warnd.settings.kinds import LevelWord, Name, Seconds, Table, Whole

Hours = tuple[str, str]


def _proof(value: Any) -> Evidence:
    words = [each.word for each in Evidence if each is not Evidence.NONE]
    if value not in words:
        cause = f'Found "{value}"; it should be a proof.'
        raise UnfitError(cause, f"Write one of {', '.join(words)}.")
    return Evidence.named(value)


def _role(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z_]*", value):
        raise UnfitError(f'Found "{value}"; it should be a role.', 'Write small letters and _, like "village_doctor".')
    return value


def _hours(value: Any) -> Hours:
    clock = r"((?:[01]\d|2[0-3]):[0-5]\d)"
    parts = re.fullmatch(f"{clock}-{clock}", value) if isinstance(value, str) else None
    if not parts or parts[1] == parts[2]:
        cause = f'Found "{value}"; it should be two different local times.'
        raise UnfitError(cause, 'Write them like "06:00-22:00", or take hours out to play at any time.')
    return parts[1], parts[2]


Hazards = Annotated[tuple[Name, ...], Field(min_length=1)]
Levels = Annotated[tuple[LevelWord, ...], Field(min_length=1)]
Statuses = Annotated[tuple[Literal["Actual", "Exercise", "Test"], ...], Field(min_length=1)]
Roles = tuple[Annotated[str, AfterValidator(_role)], ...]
Tries = Annotated[Whole, Field(ge=1, le=100)]


class AudienceTable(Table):
    """`[[plan.audience]]`."""

    name: Name = Field(description="a name for this audience, in quotes")
    kind: AudienceKind = Field(description='"seats", "terminals" or "public"')
    roles: Roles = Field(default=(), description='roles like ["information_officer"]')
    where: tuple[Where, ...] = Field(default=(), description='where the seats are: "village", "targeted", "ancestors"')
    channels: tuple[Name, ...] = Field(description='channels in order of preference, like ["sms"]')
    parallel: bool = Field(default=False, description="true to start all channels at once, else false")
    proof: Annotated[Evidence, PlainValidator(_proof)] = Field(description="the proof that satisfies")
    tries: Tries = Field(description="how often each address is tried while it stays silent, 1 to 100")
    wait_s: Seconds = Field(description="how many seconds of silence before the next try, 1 or more")
    within_s: Seconds | None = Field(default=None, description="seconds after release by which the proof is due")

    def audience(self) -> Audience:
        """Return what the planner works with."""
        return Audience(**dict(self))


class LoudspeakerTable(Table):
    """`[plan.loudspeaker]`."""

    repeat: Tries = Field(description="how many whole passes in one round, 1 to 100")
    every_s: Seconds | None = Field(default=None, description="seconds between the starts of two rounds")
    volume: Whole = Field(default=80, ge=0, le=100, description="the volume, 0 to 100")
    hours: Annotated[Hours | None, PlainValidator(_hours)] = Field(default=None, description="local hours")


class VillageTable(Table):
    """`[plan.village]`."""

    terminal: TerminalRule = Field(description='"both" or "either": of playback and officer\'s answer')
    bare: BareRule = Field(description='"officer_and_door" or "officer", for a village without a terminal')
    within_s: Seconds | None = Field(default=None, description="seconds after release by which a village is late")


class PlanTable(Table):
    """`[[plan]]`."""

    name: Name = Field(description="a name for this plan, in quotes")
    hazards: Hazards = Field(default=("*",), description='CAP event names or codes, or ["*"] for any')
    levels: Levels = Field(description='levels like ["red", "orange"]')
    statuses: Statuses = Field(description='CAP statuses like ["Actual", "Exercise", "Test"]')
    cancel_tries: Tries = Field(description="how often a Cancel is tried at a silent address, 1 to 100")
    cancel_wait_s: Seconds = Field(description="how many seconds of silence before a Cancel is tried again, 1 or more")
    village: VillageTable = Field(description="a table [plan.village]")
    loudspeaker: LoudspeakerTable = Field(description="a table [plan.loudspeaker]")
    audience: Annotated[tuple[AudienceTable, ...], Field(min_length=1)] = Field(description="tables [[plan.audience]]")

    def plan(self) -> Plan:
        """Return what the planner works with."""
        return Plan(
            name=self.name,
            hazards=self.hazards,
            levels=self.levels,
            statuses=self.statuses,
            audiences=tuple(each.audience() for each in self.audience),
            loudspeaker=Loudspeaker(**dict(self.loudspeaker)),
            village=VillageRule(**dict(self.village)),
            cancel_tries=self.cancel_tries,
            cancel_wait_s=self.cancel_wait_s,
        )


class PlansFile(Table):
    """The whole file."""

    plan: Annotated[tuple[PlanTable, ...], Field(min_length=1)] = Field(description="plans as tables [[plan]]")
