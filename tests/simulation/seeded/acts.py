"""What people do in a scenario: releases, Updates, Cancels, mistakes, imports, replies; each drawn when it is done."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any, TypeVar

from sqlalchemy import Connection, text

from tests.simulation.documents import cancel_of, flood
from tests.simulation.seeded.ground import PLACES, STRANGER, SUPERIOR, change_people
from tests.simulation.seeded.stage import Stage
from warnd.channel import Playback, Reply, Report
from warnd.model import cap
from warnd.model.authority import Principal
from warnd.model.cap import Alert
from warnd.model.evidence import Evidence
from warnd.model.submission import Fate, Submission, UnknownWarning, WrongState

T = TypeVar("T")
OPERATOR = Principal(name="operator", scope="release")
CLERK = Principal(name="clerk", scope="submit")
_LIVES_S = (25, 60, 120, 240, 6 * 3600)
_SQUARE = ((30.0, 103.0), (30.0, 103.05), (30.1, 103.05), (30.1, 103.0), (30.0, 103.0))


@dataclass(slots=True)
class Paper:
    """A document that was handed in, and what was answered."""

    alert: Alert
    submission: Submission | None = None
    answered_s: float = 0.0


@dataclass(slots=True)
class People:
    """Those who act, and what they remember of it."""

    stage: Stage
    dice: Random
    papers: list[Paper] = field(default_factory=list)
    numbers: int = 0

    def deeds(self) -> dict[str, tuple[float, Callable[[], Awaitable[None]]]]:
        """Return what may be done: name -> (how often, how)."""
        return {
            "release": (5, self.release),
            "update": (4, self.update),
            "late update": (1, self.late_update),
            "cancel": (3, self.cancel),
            "take back": (2, self.take_back),
            "cancel first": (1, self.cancel_first),
            "update first": (0.7, self.update_first),
            "hand in again": (1, self.hand_in_again),
            "reuse a key": (0.5, self.reuse_a_key),
            "decide": (2.5, self.decide),
            "import": (0.7, self.bring_in),
            "write": (1, self.write),
            "odd receipts": (1, self.odd_receipts),
        }

    # ---- documents ---------------------------------------------------------------------------------------------------------------

    async def release(self) -> None:
        """Hand in a new warning."""
        await self.hand_in(self._alert())

    async def update(self) -> None:
        """Hand in an Update of something."""
        known = self._some(lambda paper: paper.alert.msg_type in {"Alert", "Update"})
        if known is None:
            return await self.release()
        await self.hand_in(self._update_of(known.alert, sent=self._now()))
        return None

    async def late_update(self) -> None:
        """Hand in an Update that is no newer than what stands."""
        known = self._some(lambda paper: _went_out(paper) and paper.alert.msg_type != "Cancel")
        if known is None:
            return
        newest = max(
            (paper for paper in self.papers if _went_out(paper) and paper.alert.msg_type != "Cancel"),
            key=lambda paper: paper.alert.sent,
        )
        late = self._update_of(newest.alert, sent=newest.alert.sent - timedelta(seconds=self.dice.choice([0, 30])))
        paper = await self.hand_in(replace(late, sender=newest.alert.sender), by=OPERATOR)
        if paper.submission is not None and paper.submission.fate is Fate.RELEASED:
            self.stage.judge.complain(f"{late.identifier} is no newer than {newest.alert.identifier} and went out")

    async def cancel(self) -> None:
        """Hand in a Cancel of something."""
        known = self._some(lambda paper: paper.alert.msg_type != "Cancel")
        if known is not None:
            await self.hand_in(self._cancel_of(known.alert))

    async def take_back(self) -> None:
        """Cancel something at the desk."""
        known = self._some(lambda paper: paper.submission is not None and paper.submission.warning_id is not None)
        if known is None or known.submission is None:
            return
        warning_id, kind = str(known.submission.warning_id), self.dice.choice(["lift", "retract"])
        self.stage.tell(f"the operator takes {known.alert.identifier} back ({kind})")
        done: Any = await self._answered(
            lambda daemon: daemon.desk.cancel(warning_id, kind=kind, reason="reason", by=OPERATOR)
        )
        self.stage.tell(f"    {done}")

    async def cancel_first(self) -> None:
        """Hand in a Cancel, and then what it cancels."""
        alert = self._alert()
        cancel = self._cancel_of(alert, sender=alert.sender)
        tombstone = await self.hand_in(cancel, by=OPERATOR)
        await self._pause(0, 10)
        paper = await self.hand_in(alert, by=OPERATOR)
        if not _went_out(tombstone) or paper.submission is None:
            return
        fate = paper.submission.fate
        if fate is Fate.SAME:  # It was stored, and the answer was lost.
            state = await self.stage.look(partial(_state, warning_id=str(paper.submission.warning_id)))
            fate = Fate.CANCELLED if state == "cancelled" else fate
        if fate not in {Fate.CANCELLED, Fate.REFUSED}:
            self.stage.judge.complain(f"{alert.identifier} came after its Cancel and is {paper.submission.fate}")

    async def update_first(self) -> None:
        """Hand in an Update, and then what it updates."""
        alert = self._alert()
        await self.hand_in(self._update_of(alert, sent=alert.sent + timedelta(seconds=5)))
        await self._pause(0, 8)
        await self.hand_in(alert)

    async def hand_in_again(self) -> None:
        """Hand in the same document twice at once."""
        known = self._some(lambda paper: paper.submission is not None)
        if known is None:
            return
        self.stage.spawn(self._twice(known))
        await self._twice(known)

    async def _twice(self, known: Paper) -> None:
        again = await self._submit(known.alert, by=OPERATOR)
        stored = known.submission is not None and known.submission.warning_id is not None
        if stored and again.fate not in {Fate.SAME, Fate.FORBIDDEN, Fate.QUARANTINED}:
            self.stage.judge.complain(f"{known.alert.identifier} was known and is {again.fate}")

    async def reuse_a_key(self) -> None:
        """Hand in something else under a known key."""
        known = self._some(
            lambda paper: (
                paper.submission is not None and paper.submission.warning_id is not None and bool(paper.alert.infos)
            )
        )
        if known is None or known.submission is None or known.submission.fate is Fate.QUARANTINED:
            return
        infos = tuple(replace(info, description="something else") for info in known.alert.infos)
        other = await self._submit(replace(known.alert, infos=infos), by=OPERATOR)
        self.stage.tell(f"{known.alert.identifier} comes with other content: {other.fate}")
        if other.fate is not Fate.QUARANTINED:
            self.stage.judge.complain(f"{known.alert.identifier} came with other content and is {other.fate}")

    async def decide(self) -> None:
        """Approve or reject something that waits."""
        waiting = [each.id for each in await self.stage.look(_waiting)]
        if not waiting:
            return
        warning_id, yes = self.dice.choice(waiting), self.dice.random() < 0.75

        async def act(daemon: Any) -> object:
            if yes:
                return await daemon.desk.approve(warning_id, by=OPERATOR)
            return await daemon.desk.reject(warning_id, by=OPERATOR, reason="no")

        done: Any = await self._answered(act)
        self.stage.tell(f"{'approved' if yes else 'rejected'} {warning_id}: {getattr(done, 'fate', done)}")

    # ---- everything else ---------------------------------------------------------------------------------------------------------

    async def bring_in(self) -> None:
        """Import the changed directory."""
        changed = change_people(self.stage.store.engine, self.stage.cast.county, clock=self.stage.clock)
        self.stage.store.spare.changed()
        self.stage.tell(f"recipients are imported: {changed}")

    async def write(self) -> None:
        """Let somebody write who was not asked just now."""
        address = self.dice.choice(
            ["13700000000", "+8613700000000", "+8613800000000", "+8613800009999", "+8613500000000"]
        )
        said = self.dice.choice(["TD", "退订", "恢复", "收到", "1", "3", "谢谢"])
        self.stage.tell(f"{address} writes {said}")
        self.stage.judge.wrote_back.add(address)
        self.stage.world.later(0.1, Reply("sms", address, said, at=self.stage.clock.now()))

    async def odd_receipts(self) -> None:
        """Bring receipts that fit nothing, or something else."""
        dice, later = self.dice, self.stage.world.later
        for attempt in ("sim-999-1", "other-1-1", "", "sim-1-99"):
            if dice.random() < 0.5:
                later(
                    0.0, Report(dice.choice(["sms", "email"]), attempt, Evidence.DELIVERED, part=dice.choice([None, 1]))
                )
        later(0.0, Report("sms", None, Evidence.DELIVERED, reference="of another house"))
        strange = Playback(
            channel="mqtt",
            drill=dice.random() < 0.5,
            terminal=dice.choice(["term-unknown", "term-519999101201"]),
            boot_id="boot-of-old",
            n=dice.randrange(1, 9),
            message_id=dice.choice([None, "unknown"]),
            seq=dice.choice([None, 1]),
            stage="played",
            pass_done=1,
            played_ms=1,
            amplifier="ok",
            reason=None,
            at=None,
        )
        later(0.0, strange)

    # ---- how -----------------------------------------------------------------------------------------------------------------------

    async def hand_in(self, alert: Alert, *, by: Principal | None = None) -> Paper:
        """Hand a document in until somebody answers; remember both."""
        paper = Paper(alert)
        self.papers.append(paper)
        by = by or (OPERATOR if self.dice.random() < 0.88 else CLERK)
        what = f"{alert.msg_type} {alert.identifier} ({_level(alert)} {alert.status} {alert.scope})"
        refers = "".join(f" of {reference.identifier}" for reference in alert.references)
        self.stage.tell(f"{by.name} hands in {what}{refers}")
        paper.submission = await self._submit(alert, by=by)
        paper.answered_s = self.stage.loop.time()
        codes = sorted({reason.code for reason in paper.submission.reasons})
        self.stage.tell(
            f"    {alert.identifier}: {paper.submission.fate} {paper.submission.warning_id or ''} {' '.join(codes)}"
        )
        return paper

    async def _submit(self, alert: Alert, *, by: Principal) -> Submission:
        document = cap.write(alert)
        return await self.stage.ask(lambda daemon: daemon.desk.submit(document, by=by), self.dice)

    async def _answered(self, what: Callable[[Any], Awaitable[T]]) -> object:
        try:
            return await self.stage.ask(what, self.dice)
        except (WrongState, UnknownWarning) as error:
            return f"{type(error).__name__}: {error}"

    async def _pause(self, least_s: float, most_s: float) -> None:
        await self.stage.clock.sleep(self.dice.uniform(least_s, most_s))

    def _now(self) -> Any:
        return self.stage.clock.now().replace(microsecond=0)

    def _alert(self) -> Alert:
        dice = self.dice
        self.numbers += 1
        scope = dice.choice(["Public", "Public", "Public", "Restricted", "Private"])
        extra: dict[str, Any] = {}
        if scope == "Restricted":
            extra["restriction"] = "staff"
        if scope == "Private":
            extra["addresses"] = "flood@qinghe.example"
        return flood(
            identifier=f"W-{self.numbers}",
            sent=self._now() + timedelta(seconds=dice.choice([0, 0, -20])),
            status=dice.choice(["Actual"] * 7 + ["Exercise"] * 2 + ["Test"]),
            scope=scope,
            **self._area(),
            **extra,
        )

    def _area(self) -> dict[str, Any]:
        dice = self.dice
        some = tuple(dict.fromkeys(dice.choice(PLACES) for _ in range(dice.choice([1, 1, 2, 3]))))
        return {
            "codes": some,
            "polygons": (_SQUARE,) if dice.random() < 0.2 else (),
            "level": dice.choice(["red", "red", "orange", "yellow", "blue"]),
            "life": timedelta(seconds=dice.choice(_LIVES_S)),
        }

    def _update_of(self, alert: Alert, *, sent: Any) -> Alert:
        self.numbers += 1
        fresh = flood(identifier=f"W-{self.numbers}", sent=sent, **self._area())
        return replace(
            fresh,
            msg_type="Update",
            status=alert.status,
            scope=alert.scope,
            restriction=alert.restriction,
            addresses=alert.addresses,
            sender=self._sender(alert),
            references=cancel_of(alert).references,
        )

    def _cancel_of(self, alert: Alert, *, sender: str | None = None) -> Alert:
        self.numbers += 1
        return cancel_of(
            alert,
            identifier=f"W-{self.numbers}-C",
            sender=sender or self._sender(alert),
            sent=self._now() - timedelta(seconds=self.dice.choice([0, 0, 3600])),
        )

    def _sender(self, alert: Alert) -> str:
        return self.dice.choices([alert.sender, SUPERIOR, STRANGER], [0.85, 0.1, 0.05])[0]

    def _some(self, fits: Callable[[Paper], bool]) -> Paper | None:
        """Return a paper that fits, most often one that went out."""
        found = [paper for paper in self.papers if fits(paper)]
        out = [paper for paper in found if _went_out(paper)]
        return self.dice.choice(out if out and self.dice.random() < 0.8 else found) if found else None


def _went_out(paper: Paper) -> bool:
    return paper.submission is not None and paper.submission.fate is Fate.RELEASED


def _level(alert: Alert) -> str:
    return next((value for info in alert.infos for name, value in info.parameters if name == "warnd:level"), "")


def _state(conn: Connection, *, warning_id: str) -> str:
    state: str = conn.execute(text("SELECT state FROM warning WHERE id = :id"), {"id": warning_id}).scalar_one()
    return state


def _waiting(conn: Connection) -> list[Any]:
    return list(conn.execute(text("SELECT id FROM warning WHERE state IN ('held', 'in_review') ORDER BY no")))
