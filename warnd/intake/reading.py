"""Reading a document: what it says, what it means here, and everything the rules have to say about it. Decides nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from warnd.clock import Clock
from warnd.intake import findings
from warnd.intake.targeting import Drawn, Targets, drawn_by, resolve
from warnd.ledger import directory
from warnd.ledger.store import Ledger
from warnd.model import cap
from warnd.model.cap import LevelRules
from warnd.model.level import Level
from warnd.model.plan import Plan, choose
from warnd.model.reason import Reason, Verdict

_INLINE_BYTES = 64 * 1024  # Smaller documents are read faster than a thread is woken.


def _nothing(_alert: cap.Alert) -> tuple[Reason, ...]:
    """Remark upon nothing."""
    return ()


@dataclass(frozen=True, slots=True)
class Policy:
    """What the centre has decided, from its files.

    Attributes:
        elements: Which elements that a release needs are missing from an Alert (code `element_missing`); rendering knows.
        drills: Drills have a connection and a key of their own.
        remarks: What else there is to know about an Alert, as notes: of the recordings that came with it.
    """

    plans: tuple[Plan, ...]
    levels: LevelRules
    jurisdiction: tuple[str, ...]
    future_tolerance_s: int
    elements: Callable[[cap.Alert, Level | None], tuple[Reason, ...]]
    drills: bool
    remarks: Callable[[cap.Alert], tuple[Reason, ...]] = _nothing


@dataclass(frozen=True, slots=True)
class Reading:
    """One document, understood.

    Attributes:
        content: Canonical hash.
        directory_rev: The revision that `targets` was resolved at.
        plan: None for a Cancel, which follows the plan of what it cancels, and where none matches.
    """

    document: bytes
    alert: cap.Alert
    content: str
    level: Level | None
    targets: Targets
    directory_rev: int
    plan: Plan | None
    reasons: tuple[Reason, ...]

    @property
    def refused(self) -> bool:
        """Some rule refuses it."""
        return any(reason.verdict is Verdict.REFUSE for reason in self.reasons)

    @property
    def held(self) -> bool:
        """Some rule wants an operator to look."""
        return any(reason.verdict is Verdict.HOLD for reason in self.reasons)

    @property
    def drill(self) -> bool:
        """It is an Exercise or a Test."""
        return self.alert.status in {"Exercise", "Test"}


class Reader:
    """Reads documents under one policy."""

    def __init__(self, ledger: Ledger, clock: Clock, *, policy: Policy) -> None:
        self._ledger = ledger
        self._clock = clock
        self._policy = policy

    async def parse(self, document: bytes) -> cap.Alert:
        """Parse a document; raises `cap.CapError`. Long ones are parsed in a thread, so that nothing else waits for them."""
        if len(document) <= _INLINE_BYTES:
            return cap.parse(document)
        return await asyncio.to_thread(cap.parse, document)

    async def read(self, document: bytes, alert: cap.Alert) -> Reading:
        """Judge a parsed document by every rule that does not need to know what came before it; long ones in a thread."""
        cancel = alert.msg_type == "Cancel"
        targets, revision = (Targets(), 0) if cancel else await self._resolve(document, alert)
        if len(document) <= _INLINE_BYTES:
            return self._judged(document, alert, targets=targets, directory_rev=revision)
        return await asyncio.to_thread(self._judged, document, alert, targets=targets, directory_rev=revision)

    def _judged(self, document: bytes, alert: cap.Alert, *, targets: Targets, directory_rev: int) -> Reading:
        cancel = alert.msg_type == "Cancel"
        level = None if cancel else cap.alert_level(alert, self._policy.levels)
        plan = self._plan(alert, level)
        more = () if cancel else self._more(alert, level, plan=plan, targets=targets)
        return Reading(
            document=document,
            alert=alert,
            content=cap.canonical_hash(alert),
            level=level,
            targets=targets,
            directory_rev=directory_rev,
            plan=plan,
            reasons=(*self._rules(alert), *more, *(() if cancel else self._policy.remarks(alert))),
        )

    async def _resolve(self, document: bytes, alert: cap.Alert) -> tuple[Targets, int]:
        ground = None if len(document) <= _INLINE_BYTES else await asyncio.to_thread(drawn_by, alert)
        return await self._ledger.read(_resolved, alert=alert, jurisdiction=self._policy.jurisdiction, ground=ground)

    def _plan(self, alert: cap.Alert, level: Level | None) -> Plan | None:
        if level is None:
            return None
        plan = choose(self._policy.plans, hazards=hazards(alert), level=level, status=alert.status)
        return plan.for_roles_only() if plan is not None and alert.scope != "Public" else plan

    def _rules(self, alert: cap.Alert) -> tuple[Reason, ...]:
        return cap.check(
            alert,
            now=self._clock.now(),
            future_tolerance_s=self._policy.future_tolerance_s,
            levels=self._policy.levels,
        )

    def _more(
        self, alert: cap.Alert, level: Level | None, *, plan: Plan | None, targets: Targets
    ) -> tuple[Reason, ...]:
        # An unknown level is held by a rule of its own and must not be refused as a missing element too.
        more = [*self._policy.elements(alert, level or Level.BLUE), *_area_reasons(targets)]
        if level is not None and plan is None:
            more.append(findings.no_plan(level.word, alert.status))
        if alert.status in {"Exercise", "Test"} and not self._policy.drills:
            more.append(findings.drills_off())
        return tuple(more)


def hazards(alert: cap.Alert) -> tuple[str, ...]:
    """Return the names by which plans may know the hazard: events and event codes, each once."""
    named = [info.event for info in alert.infos]
    coded = [value for info in alert.infos for _, value in info.event_codes]
    return tuple(dict.fromkeys([*named, *coded]))


def _resolved(
    conn: Connection, *, alert: cap.Alert, jurisdiction: tuple[str, ...], ground: Drawn | None
) -> tuple[Targets, int]:
    return resolve(conn, alert, jurisdiction=jurisdiction, ground=ground), directory.revision(conn)


def _area_reasons(targets: Targets) -> list[Reason]:
    told = []
    inside = [root for root in targets.roots if not root.outside]
    beyond = tuple(root.code for root in targets.roots if root.outside)
    unknown = ", ".join(f"{name} {value}" for name, value in targets.unknown_geocodes[:10])
    if not inside and not targets.recipients:
        cause = f"no region of it is known here and within the jurisdiction{'; unknown: ' + unknown if unknown else ''}"
        told.append(cap.finding("area_unresolved", "area", cause))
    elif unknown:
        told.append(cap.finding("geocode_unknown", "geocode", f"unknown here: {unknown}"))
    if beyond:
        told.append(findings.outside(beyond))
    return told
