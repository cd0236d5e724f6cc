"""The desk: the one function through which every warning enters, and what an operator does with those that wait."""

import random
from typing import Literal

from sqlalchemy import Connection, Row

from warnd.bell import Bell
from warnd.clock import Clock
from warnd.intake import accept, findings
from warnd.intake.accept import Entry
from warnd.intake.cancelling import cancel_of
from warnd.intake.forecast import Forecaster
from warnd.intake.reading import Reader, Reading
from warnd.ledger import events, succession, warnings
from warnd.ledger.events import Stamp
from warnd.ledger.store import Ledger
from warnd.ledger.values import to_ms
from warnd.model import cap
from warnd.model.authority import Authority, Principal
from warnd.model.preview import Preview
from warnd.model.reason import Reason, Verdict
from warnd.model.submission import Fate, Submission, UnknownWarning, WrongState

_ID_BITS = 100  # 20 characters of base 32.
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_WAITING = {"held", "in_review"}


class Desk:
    """Decides what becomes of documents and of warnings that wait. Every answer comes after its commit."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        *,
        reader: Reader,
        forecaster: Forecaster,
        authority: Authority,
        chance: random.Random,
        writer: str,
        bell: Bell,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._reader = reader
        self._forecaster = forecaster
        self._authority = authority
        self._chance = chance
        self._writer = writer
        self._bell = bell

    async def submit(self, document: bytes, *, by: Principal) -> Submission:
        """Take one document, whatever is in it."""
        if not by.may("submit"):
            return Submission(Fate.FORBIDDEN, None, (findings.not_your_scope(by.name),))
        try:
            alert = await self._reader.parse(document)
        except cap.CapError as error:
            return await self._unreadable(error, by=by)
        reading = await self._reader.read(document, alert)
        entry = Entry(reading, by, self._fresh_id())
        submission = await self._ledger.write(accept.accept, entry, authority=self._authority, stamp=self._stamp())
        self._bell.ring()
        return submission

    async def preview(self, document: bytes, *, by: Principal) -> Preview | Submission:
        """Say what releasing the document would do, keeping nothing."""
        if not by.may("submit"):
            return Submission(Fate.FORBIDDEN, None, (findings.not_your_scope(by.name),))
        try:
            alert = await self._reader.parse(document)
        except cap.CapError as error:
            return _turned_away(error)
        return await self._forecaster.forecast(await self._reader.read(document, alert))

    async def approve(self, warning_id: str, *, by: Principal) -> Submission:
        """Release a warning that is held or in review; one that still cannot go out stays held, with the reasons."""
        row = await self._waiting(warning_id)
        reading = await self._again(row)
        why_not = await self._forbidden(reading, by=by)
        if why_not is not None:
            return Submission(Fate.FORBIDDEN, row.id, (why_not,))
        stops = _stops(reading)
        if stops:
            return Submission(Fate.HELD, row.id, stops)
        try:
            newer = await self._ledger.write(
                _release, reading=reading, row=row, by=by, authority=self._authority, stamp=self._stamp()
            )
        except warnings.IllegalMove as error:
            raise WrongState(f"Warning {warning_id} was decided by somebody else a moment ago.") from error
        self._bell.ring()
        return Submission(Fate.RELEASED if newer is None else Fate.OVERTAKEN, row.id, reading.reasons)

    async def reject(self, warning_id: str, *, by: Principal, reason: str) -> Submission:
        """Turn down a warning that is held or in review."""
        row = await self._waiting(warning_id)
        why_not = await self._forbidden(await self._again(row), by=by)
        if why_not is not None:
            return Submission(Fate.FORBIDDEN, row.id, (why_not,))
        try:
            await self._ledger.write(
                warnings.move,
                warning_id=row.id,
                old=row.state,
                new="rejected",
                stamp=self._stamp(),
                by=by.name,
                because=reason,
            )
        except warnings.IllegalMove as error:
            raise WrongState(f"Warning {warning_id} was decided by somebody else a moment ago.") from error
        self._bell.ring()
        return Submission(Fate.REFUSED, row.id, ())

    async def cancel(
        self, warning_id: str, *, kind: Literal["lift", "retract"], reason: str, by: Principal
    ) -> Submission:
        """Release a Cancel of this warning and everything of its chain; the answer's id is the Cancel's."""
        chain = await self._ledger.read(_chain_of, warning_id=warning_id)
        row = next(one for one in chain if one.id == warning_id)
        if not any(one.state in {*_WAITING, *warnings.LIVE_STATES} and one.msg_type != "Cancel" for one in chain):
            raise WrongState(f"Warning {warning_id} is {row.state}; there is nothing left to cancel.")
        alerts = [await self._reader.parse(one.document) for one in chain if one.msg_type != "Cancel"]
        identifier = f"{row.identifier}-cancel-{self._fresh_id()[:8]}"
        drafted = cancel_of(alerts, kind=kind, reason=reason, identifier=identifier, now=self._clock.now())
        return await self.submit(cap.write(drafted), by=by)

    async def _waiting(self, warning_id: str) -> Row[tuple[object, ...]]:
        row = await self._ledger.read(warnings.by_id, warning_id=warning_id)
        if row is None:
            raise UnknownWarning(warning_id)
        if row.state not in _WAITING:
            raise WrongState(f"Warning {warning_id} is {row.state}; only held ones and those in review can be decided.")
        return row

    async def _forbidden(self, reading: Reading, *, by: Principal) -> Reason | None:
        return await self._ledger.read(accept.forbidden, reading, by=by, authority=self._authority)

    async def _again(self, row: Row[tuple[object, ...]]) -> Reading:
        """Read a stored document again: the directory, the plans and the clock may have moved since."""
        document: bytes = row.document
        return await self._reader.read(document, await self._reader.parse(document))

    async def _unreadable(self, error: cap.CapError, *, by: Principal) -> Submission:
        submission = _turned_away(error)
        told = {"by": by.name, "codes": sorted({reason.code for reason in submission.reasons})}
        await self._ledger.write(
            events.append, stamp=self._stamp(), kind=f"document.{submission.fate}", message_id=None, data=told
        )
        return submission

    def _fresh_id(self) -> str:
        bits = self._chance.getrandbits(_ID_BITS)
        return "".join(_ALPHABET[(bits >> shift) & 31] for shift in range(0, _ID_BITS, 5))

    def _stamp(self) -> Stamp:
        return Stamp(to_ms(self._clock.now()), self._writer)


def _turned_away(error: cap.CapError) -> Submission:
    fates: dict[type[cap.CapError], Fate] = {cap.TooLarge: Fate.TOO_LARGE, cap.NotXml: Fate.NOT_XML}
    return Submission(fates.get(type(error), Fate.NOT_CAP), None, error.reasons)


def _stops(reading: Reading) -> tuple[Reason, ...]:
    """Return what even an operator's approval cannot overrule: nobody to tell, nothing to say, no life left."""
    refused = [reason for reason in reading.reasons if reason.verdict is Verdict.REFUSE]
    if reading.alert.msg_type == "Cancel":
        return tuple(refused)
    blind = {"level_unknown", "area_unresolved", "no_plan"}
    held = [reason for reason in reading.reasons if reason.verdict is Verdict.HOLD and reason.code in blind]
    return (*refused, *held)


def _release(
    conn: Connection,
    *,
    reading: Reading,
    row: Row[tuple[object, ...]],
    by: Principal,
    authority: Authority,
    stamp: Stamp,
) -> str | None:
    level = None if reading.level is None else int(reading.level)
    warnings.reread(conn, warning_id=row.id, reasons=[reason.to_dict() for reason in reading.reasons], level=level)
    return accept.release(conn, reading, warning_id=row.id, by=by, authority=authority, stamp=stamp)


def _chain_of(conn: Connection, *, warning_id: str) -> list[Row[tuple[object, ...]]]:
    row = warnings.by_id(conn, warning_id=warning_id)
    if row is None:
        raise UnknownWarning(warning_id)
    if row.state == "quarantined":
        raise WrongState(f"Warning {warning_id} is quarantined: nothing of it went out, so there is nothing to cancel.")
    mine = warnings.chain(conn, chain_id=row.chain_id)
    heir = succession.heir(conn, row.chain_id)
    return mine if heir == row.chain_id else [*mine, *warnings.chain(conn, chain_id=heir)]
