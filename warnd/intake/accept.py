"""The one transaction in which a warning is accepted: stored, placed in its chain, and, if it may, released.

Whatever depends on what was there before (duplicates, chains, Cancels that came first) is decided here, under the write lock, so that two
copies arriving at once cannot both be new.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from warnd.intake import endings, findings
from warnd.intake.reading import Reading
from warnd.ledger import directory, events, messages, succession, warnings
from warnd.ledger.events import Stamp
from warnd.ledger.messages import NewMessage
from warnd.ledger.values import to_ms
from warnd.ledger.warnings import NewWarning
from warnd.model import cap
from warnd.model.authority import Authority, Principal
from warnd.model.reason import Reason, Verdict
from warnd.model.region import stored_code
from warnd.model.submission import Fate, Submission

_WAITING = ("held", "in_review")


@dataclass(frozen=True, slots=True)
class Entry:
    """A document at the counter: read, brought by somebody, with a fresh id in case it is new."""

    reading: Reading
    by: Principal
    fresh_id: str


def accept(conn: Connection, entry: Entry, *, authority: Authority, stamp: Stamp) -> Submission:
    """Decide about one document and do it."""
    alert = entry.reading.alert
    known = warnings.by_key(conn, sender=alert.sender, identifier=alert.identifier)
    if known is not None:
        return _known(conn, entry, known, stamp=stamp)
    why_not = forbidden(conn, entry.reading, by=entry.by, authority=authority)
    if why_not is not None:
        return _turn_away(conn, entry, Fate.FORBIDDEN, (why_not,), stamp=stamp)
    if entry.reading.refused:
        return _turn_away(conn, entry, Fate.REFUSED, entry.reading.reasons, stamp=stamp)
    return _store(conn, entry, authority=authority, stamp=stamp)


def _known(conn: Connection, entry: Entry, known: Row[Any], *, stamp: Stamp) -> Submission:
    reading = entry.reading
    if known.content_hash == reading.content:
        return Submission(Fate.SAME, known.id, _kept_reasons(known))
    copies = warnings.quarantined(conn, sender=known.sender, identifier=known.identifier)
    same = next((row for row in copies if row.content_hash == reading.content), None)
    if same is not None:
        return Submission(Fate.QUARANTINED, same.id, _kept_reasons(same))
    reasons = (findings.key_reused(known.id),)
    warnings.insert(conn, _new(entry, reasons, state="quarantined", chain_id=entry.fresh_id, seq=1), stamp=stamp)
    return Submission(Fate.QUARANTINED, entry.fresh_id, reasons)


def _kept_reasons(row: Row[Any]) -> tuple[Reason, ...]:
    return tuple(Reason.from_dict(kept) for kept in json.loads(row.reasons))


def _turn_away(conn: Connection, entry: Entry, fate: Fate, reasons: tuple[Reason, ...], *, stamp: Stamp) -> Submission:
    told = {
        "sender": entry.reading.alert.sender,
        "identifier": entry.reading.alert.identifier,
        "content": entry.reading.content,
        "by": entry.by.name,
        "codes": sorted({reason.code for reason in reasons}),
    }
    events.append(conn, stamp=stamp, kind=f"document.{fate}", message_id=None, data=told)
    return Submission(fate, None, reasons)


def forbidden(conn: Connection, reading: Reading, *, by: Principal, authority: Authority) -> Reason | None:
    """Return why this principal may not bring this in, or decide about it, or None."""
    alert = reading.alert
    if not by.speaks_for(alert.sender):
        return findings.not_your_sender(alert.sender, by.name)
    changed = warnings.referenced(conn, keys=[reference.key for reference in alert.references])
    changes = changed if alert.msg_type in {"Update", "Cancel"} else []
    for row in changes:
        if not authority.may_change(sender=alert.sender, chain_sender=row.sender):
            return findings.not_your_chain(alert.sender, row.sender)
    if by.region is None:
        return None
    touched = {root.code for root in reading.targets.roots if not root.outside}
    for row in changes:
        touched |= messages.roots_of_chain(conn, chain_id=row.chain_id)
    strange = _beyond(conn, touched, stored_code(by.region))
    return findings.not_your_region(strange, by.region) if strange is not None else None


def _beyond(conn: Connection, touched: Collection[str], region: str) -> str | None:
    """Return a region that does not lie in the subtree of `region`, or None."""
    codes = sorted(touched)
    paths = directory.paths(conn, codes=[*codes, region])
    allowed = paths.get(region)
    return next((code for code in codes if allowed is None or not paths[code].startswith(allowed)), None)


def _store(conn: Connection, entry: Entry, *, authority: Authority, stamp: Stamp) -> Submission:
    """Store a warning that is new here, in its chain, in the state that rules and scope give it."""
    alert = entry.reading.alert
    chain = _chain(conn, alert, authority=authority)
    reasons = entry.reading.reasons + _chain_reasons(alert, chain)
    cancelled_by = _cancelled_before(conn, alert, authority=authority)
    state = _state(entry, reasons, cancelled=cancelled_by is not None)
    chain_id = chain[0].chain_id if chain else (cancelled_by.chain_id if cancelled_by is not None else entry.fresh_id)
    seq = 1 + max((row.seq for row in warnings.chain(conn, chain_id=chain_id)), default=0)
    new = _new(
        entry,
        reasons,
        state="in_review" if state in {"dispatching", "superseded"} else state,
        chain_id=chain_id,
        seq=seq,
    )
    warnings.insert(conn, new, stamp=stamp)
    if state == "dispatching":
        return _after_release(conn, entry, reasons, authority=authority, stamp=stamp)
    fates = {"held": Fate.HELD, "in_review": Fate.IN_REVIEW, "cancelled": Fate.CANCELLED}
    return Submission(fates[state], entry.fresh_id, reasons)


def _after_release(
    conn: Connection, entry: Entry, reasons: tuple[Reason, ...], *, authority: Authority, stamp: Stamp
) -> Submission:
    newer = release(conn, entry.reading, warning_id=entry.fresh_id, by=entry.by, authority=authority, stamp=stamp)
    if newer is not None:
        return Submission(Fate.OVERTAKEN, entry.fresh_id, (*reasons, findings.overtaken(newer)))
    return Submission(Fate.RELEASED, entry.fresh_id, reasons)


def _chain(conn: Connection, alert: cap.Alert, *, authority: Authority) -> list[Row[Any]]:
    """Return the chain that a warning belongs to, oldest first; empty if it begins one or refers to nothing known.

    An Alert may come after its own Update, by a slower road; then it belongs to the chain that the Update began.
    """
    if alert.msg_type in {"Update", "Cancel"}:
        known = warnings.referenced(conn, keys=[reference.key for reference in alert.references])
    else:
        later = warnings.referring(conn, sender=alert.sender, identifier=alert.identifier)
        known = [row for row in later if row.msg_type == "Update" and row.released_at is not None]
        known = [row for row in known if authority.may_change(sender=row.sender, chain_sender=alert.sender)]
    return warnings.chain(conn, chain_id=succession.heir(conn, known[0].chain_id)) if known else []


def _chain_reasons(alert: cap.Alert, chain: list[Row[Any]]) -> tuple[Reason, ...]:
    if alert.msg_type != "Update":
        return ()
    if not chain:
        named = " ".join(f"{reference.sender},{reference.identifier}" for reference in alert.references)
        return (cap.finding("reference_unknown", "references", f"unknown here: {named}"),)
    ended = next((row for row in chain if row.msg_type == "Cancel" and row.released_at is not None), None)
    return (findings.chain_cancelled(ended.id),) if ended is not None else ()


def _cancelled_before(conn: Connection, alert: cap.Alert, *, authority: Authority) -> Row[Any] | None:
    """Return the Cancel that came before the message it cancels and had the right to, or None."""
    earlier = warnings.referring(conn, sender=alert.sender, identifier=alert.identifier)
    for row in earlier:
        released = row.msg_type == "Cancel" and row.released_at is not None
        if released and authority.may_change(sender=row.sender, chain_sender=alert.sender):
            return row
    return None


def _state(entry: Entry, reasons: tuple[Reason, ...], *, cancelled: bool) -> str:
    if cancelled:
        return "cancelled"
    if any(reason.verdict is Verdict.HOLD for reason in reasons):
        return "held"
    return "dispatching" if entry.by.may("release") else "in_review"


def _new(entry: Entry, reasons: tuple[Reason, ...], *, state: str, chain_id: str, seq: int) -> NewWarning:
    alert = entry.reading.alert
    first = alert.infos[0] if alert.infos else None
    expires = alert.expires
    return NewWarning(
        id=entry.fresh_id,
        chain_id=chain_id,
        seq=seq,
        sender=alert.sender,
        identifier=alert.identifier,
        sent=to_ms(alert.sent),
        status=alert.status,
        msg_type=alert.msg_type,
        scope=alert.scope,
        level=entry.reading.level,
        event=first.event if first else "",
        headline=(first.headline or first.event) if first else "",
        expires=to_ms(expires) if expires is not None and alert.msg_type != "Cancel" else None,
        refs=[(each.sender, each.identifier, each.sent.isoformat() if each.sent else "") for each in alert.references],
        cancel_kind=cap.cancel_kind(alert) if alert.msg_type == "Cancel" else None,
        state=state,
        reasons=[reason.to_dict() for reason in reasons],
        content_hash=entry.reading.content,
        document=entry.reading.document,
        source=entry.by.name,
    )


def release(
    conn: Connection, reading: Reading, *, warning_id: str, by: Principal, authority: Authority, stamp: Stamp
) -> str | None:
    """Let a stored, waiting warning go out: end what it replaces, open its message. One short transaction.

    Returns None if it went out, or the id of a newer version of its chain if one stands: then this one is superseded.

    Raises:
        warnings.IllegalMove: It does not wait any more.
    """
    row = _placed(conn, warning_id, authority=authority)
    warnings.approve(conn, warning_id=warning_id, approvals=_approvals(row, by, stamp))
    earlier = [one for one in warnings.chain(conn, chain_id=row.chain_id) if one.no != row.no]
    others = endings.other_chains(conn, row, authority=authority)
    if row.msg_type == "Cancel":
        warnings.move(conn, warning_id=row.id, old=row.state, new="dispatching", stamp=stamp, by=by.name)
        endings.cancel(conn, row, earlier, by=by, stamp=stamp)
        endings.end_other_chains(conn, row, others, by=by, stamp=stamp)
        return None
    beside = [one for chain_id in others for one in warnings.chain(conn, chain_id=chain_id)]
    newer = next((one for one in (*earlier, *beside) if _stands_before(one, row)), None)
    if newer is not None:
        warnings.move(
            conn, warning_id=row.id, old=row.state, new="superseded", stamp=stamp, by=by.name, because=newer.id
        )
        return str(newer.id)
    warnings.move(conn, warning_id=row.id, old=row.state, new="dispatching", stamp=stamp, by=by.name)
    replaced = [one for one in earlier if one.released_at is not None or _older_draft(one, row)]
    endings.end(conn, replaced, as_="superseded", because=row.id, by=by, stamp=stamp)
    messages.open_message(conn, _warning_message(reading, row), stamp=stamp)
    endings.end_other_chains(conn, row, others, by=by, stamp=stamp)
    if not reading.drill:
        codes = [root.code for root in reading.targets.roots if not root.outside]
        endings.end_drills(conn, row, codes=codes, by=by, stamp=stamp)
    return None


def _stands_before(one: Row[Any], row: Row[Any]) -> bool:
    """Say whether `one` went out and was sent no earlier than `row`; what only waits, or was turned down, overtakes nothing."""
    return bool(one.msg_type != "Cancel" and one.released_at is not None and one.sent >= row.sent)


def _older_draft(one: Row[Any], row: Row[Any]) -> bool:
    """Say whether `one` still waits and has nothing to say any more; a Cancel that waits is worth its decision whenever it was sent."""
    return bool(one.msg_type != "Cancel" and one.sent <= row.sent)


def _placed(conn: Connection, warning_id: str, *, authority: Authority) -> Row[Any]:
    """Return the waiting warning with its place in its chain as the chain stands now.

    While it waited, what it refers to may have come in, and later versions may have gone out; terminals obey the higher place only.
    """
    row = warnings.by_id(conn, warning_id=warning_id)
    if row is None or row.state not in _WAITING:
        raise warnings.IllegalMove(f"{warning_id} does not wait")
    keys = [(sender, identifier) for sender, identifier, _ in json.loads(row.refs)]
    known = warnings.referenced(conn, keys=keys) if row.chain_id == row.id else []
    meant = next((one for one in known if authority.may_change(sender=row.sender, chain_sender=one.sender)), None)
    chain_id = succession.heir(conn, row.chain_id if meant is None else meant.chain_id)
    others = [one.seq for one in warnings.chain(conn, chain_id=chain_id) if one.no != row.no]
    seq = max([row.seq, *(one + 1 for one in others)])
    if (chain_id, seq) == (row.chain_id, row.seq):
        return row
    warnings.place(conn, warning_id=warning_id, chain_id=chain_id, seq=seq)
    placed = warnings.by_id(conn, warning_id=warning_id)
    assert placed is not None
    return placed


def _approvals(row: Row[Any], by: Principal, stamp: Stamp) -> list[Mapping[str, Any]]:
    return [*json.loads(row.approvals), {"by": by.name, "at": stamp.now_ms, "action": "release"}]


def _warning_message(reading: Reading, row: Row[Any]) -> NewMessage:
    alert, plan, level = reading.alert, reading.plan, reading.level
    assert plan is not None
    assert level is not None
    return NewMessage(
        id=row.id,
        kind="warning",
        chain_id=row.chain_id,
        seq=row.seq,
        drill=reading.drill,
        urgency=int(level) + (5 if reading.drill else 0),
        plan=plan,
        directory_rev=reading.directory_rev,
        expires_at=row.expires,
        roots=[(root.code, root.how, root.outside) for root in reading.targets.roots],
        recipients=reading.targets.recipients,
        public=alert.scope == "Public" and alert.status == "Actual",
    )
