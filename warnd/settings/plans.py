"""Reads plans and refuses those that cannot be meant: overlaps, gaps, audiences nobody is left for, proofs nobody can give."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

from pydantic import ValidationError

from warnd.model.evidence import Evidence
from warnd.model.level import Level
from warnd.model.plan import Audience, Plan
from warnd.settings.document import Document, read_toml
from warnd.settings.plan_shape import PlansFile
from warnd.settings.problem import Problem, SettingsError

_SEATS_ONLY = ("roles", "where")


def load_plans(path: Path, *, strongest: Mapping[str, Evidence]) -> tuple[Plan, ...]:
    """Return the plans of a file in its order.

    Args:
        path: The TOML file.
        strongest: Every channel that this version has, in use or not, with the strongest proof it can ever give.

    Raises:
        SettingsError: With every problem found.
    """
    document = read_toml(path)
    try:
        written = PlansFile.model_validate(document.values)
    except ValidationError as error:
        raise SettingsError(document.problems(error, shape=PlansFile)) from error
    plans = tuple(each.plan() for each in written.plan)
    problems = [
        *_overlaps(document, plans),
        *_gaps(document, plans),
        *(problem for no, plan in enumerate(plans) for problem in _audiences(document, no, plan.audiences, strongest)),
    ]
    if problems:
        raise SettingsError(problems)
    return plans


def _overlaps(document: Document, plans: Sequence[Plan]) -> Iterator[Problem]:
    governed: dict[tuple[str, Level, str], Plan] = {}
    names: set[str] = set()
    for no, plan in enumerate(plans):
        if plan.name in names:
            cause = f'Another plan is named "{plan.name}", too.'
            yield document.problem(("plan", no, "name"), cause, "Give it a name of its own.")
        names.add(plan.name)
        named: set[str] = set()  # One problem for each pair of plans; they may overlap in dozens of combinations.
        for hazard, level, status in product(plan.hazards, plan.levels, plan.statuses):
            other = governed.setdefault((hazard, level, status), plan)
            if other is not plan and other.name not in named:
                named.add(other.name)
                cause = f'Hazard "{hazard}", level {level.word}, status {status} is governed by plan "{other.name}" already.'
                yield document.problem(("plan", no), cause, "Take it out of one of the two.")


def _gaps(document: Document, plans: Sequence[Plan]) -> Iterator[Problem]:
    """Find levels without a plan for any hazard: of real warnings, and of every drill status that some plan is for."""
    covered = {pair for plan in plans if "*" in plan.hazards for pair in product(plan.levels, plan.statuses)}
    statuses = ["Actual", *sorted({status for plan in plans for status in plan.statuses} - {"Actual"})]
    for status, level in product(statuses, Level):
        if (level, status) not in covered:
            cause = f"No plan is for level {level.word}, status {status} and any hazard."
            yield document.problem(("plan",), cause, f'Add a plan with hazards = ["*"] for {level.word} and {status}.')


def _audiences(
    document: Document, no: int, audiences: Sequence[Audience], strongest: Mapping[str, Evidence]
) -> Iterator[Problem]:
    taken: dict[tuple[str, ...], str] = {}
    for index, audience in enumerate(audiences):
        at = ("plan", no, "audience", index)
        yield from _seats(document, at, audience)
        yield from _channels(document, at, audience, strongest)
        members = _members(audience)
        if members and all(member in taken for member in members):
            cause = f'"{audience.name}" never gets anybody: "{taken[members[0]]}" before it takes them all.'
            yield document.problem(at, cause, "Take it out, or put it first.")
        for member in members:
            taken.setdefault(member, audience.name)


def _members(audience: Audience) -> list[tuple[str, ...]]:
    """Return what an audience takes, as marks of which an equal one later in the plan finds nobody left."""
    if audience.kind == "seats":
        return list(product(audience.roles, audience.where))
    return [(audience.kind,)]


def _seats(document: Document, at: tuple[str | int, ...], audience: Audience) -> Iterator[Problem]:
    for key in _SEATS_ONLY:
        given = bool(getattr(audience, key))
        if audience.kind == "seats" and not given:
            cause = f'"{audience.name}" is for seats, but reaches nobody without {key}.'
            yield document.problem((*at, key), cause, f"Write {key} = [...].")
        if audience.kind != "seats" and given:
            cause = f'"{audience.name}" is for {audience.kind}; {key} belongs to seats.'
            yield document.problem((*at, key), cause, "Take it out.")


def _channels(
    document: Document, at: tuple[str | int, ...], audience: Audience, strongest: Mapping[str, Evidence]
) -> Iterator[Problem]:
    unknown = [channel for channel in audience.channels if channel not in strongest]
    for channel in unknown:
        cause = f'There is no channel "{channel}".'
        yield document.problem((*at, "channels"), cause, f"Known here: {', '.join(sorted(strongest))}.")
    if not audience.channels:
        cause = f'"{audience.name}" reaches nobody without a channel.'
        yield document.problem((*at, "channels"), cause, f"Write one or more of {', '.join(sorted(strongest))}.")
    elif not unknown and audience.proof > (best := max(strongest[channel] for channel in audience.channels)):
        cause = f"No channel listed here can ever prove {audience.proof.word}; the most is {best.word}."
        yield document.problem(
            (*at, "proof"), cause, f'Demand "{best.word}" or less, or list a channel that proves more.'
        )
