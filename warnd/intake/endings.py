"""What a release puts an end to: older versions, the other chains that it refers to, and drills where the real thing has come.

Each ending is one row for each message, whatever number of deliveries is open. Runs inside the transaction of the release.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row

from warnd.intake.cancelling import cancel_of
from warnd.ledger import directory, events, messages, succession, warnings
from warnd.ledger.events import Stamp
from warnd.ledger.messages import NewMessage
from warnd.ledger.values import from_ms, to_ms
from warnd.ledger.warnings import NewWarning
from warnd.model import cap
from warnd.model.authority import Authority, Principal
from warnd.model.plan import Plan

# A Cancel is worth telling at least this long, even when what it cancels ends sooner.
_CANCEL_LIFE_MS = 2 * 3600 * 1000
_OPEN_STATES = ("held", "in_review", "dispatching", "completed")
_ID_CHARS = 20
_DRILL_ENDS = {"zh": "已发布真实预警，演练立即中止。", "en": "A real warning has been issued. The exercise ends now."}


def end(conn: Connection, rows: Sequence[Row[Any]], *, as_: str, because: str, by: Principal, stamp: Stamp) -> None:
    """End versions: their messages close with one row each."""
    for one in rows:
        messages.close(conn, message_id=one.id, closed_as="withdrawn", stamp=stamp)
        if one.state in _OPEN_STATES:
            warnings.move(conn, warning_id=one.id, old=one.state, new=as_, stamp=stamp, by=by.name, because=because)


def cancel(
    conn: Connection,
    row: Row[Any],
    earlier: Sequence[Row[Any]],
    *,
    by: Principal,
    stamp: Stamp,
    as_: str = "cancelled",
    because: str | None = None,
) -> None:
    """Let a dispatching Cancel end its chain and tell those who may have heard of it; with nobody to tell it is complete."""
    told = messages.of_chain(conn, chain_id=row.chain_id)
    before = [one for one in earlier if one.msg_type == "Cancel"]
    end(conn, before, as_="superseded", because=row.id, by=by, stamp=stamp)
    end(conn, [one for one in earlier if one not in before], as_=as_, because=because or row.id, by=by, stamp=stamp)
    if not told:  # Nobody has heard of it, so nobody needs to hear that it is over.
        warnings.move(conn, warning_id=row.id, old="dispatching", new="completed", stamp=stamp, by=by.name)
        return
    last = told[-1]
    ends = max([stamp.now_ms + _CANCEL_LIFE_MS, *(one.expires_at for one in told)])
    messages.open_message(
        conn,
        NewMessage(
            id=row.id,
            kind="cancel",
            chain_id=row.chain_id,
            seq=row.seq,
            drill=bool(last.drill),
            urgency=5 if last.drill else 0,
            plan=Plan.from_dict(json.loads(last.plan)),
            directory_rev=last.directory_rev,
            expires_at=ends,
            roots=(),
            recipients=(),
            public=any(one.public for one in told),
        ),
        stamp=stamp,
    )


# ---- the other chains that one message refers to -----------------------------------------------------------------------------------


def other_chains(conn: Connection, row: Row[Any], *, authority: Authority) -> list[str]:
    """Return the chains that an Update or Cancel refers to beside its own, in the order of their beginning."""
    if row.msg_type not in {"Update", "Cancel"}:
        return []
    keys = [(sender, identifier) for sender, identifier, _ in json.loads(row.refs)]
    known = warnings.referenced(conn, keys=keys)
    mine = [one for one in known if authority.may_change(sender=row.sender, chain_sender=one.sender)]
    found = dict.fromkeys(succession.heir(conn, one.chain_id) for one in mine)
    return [chain_id for chain_id in found if chain_id != row.chain_id]


def end_other_chains(conn: Connection, row: Row[Any], chains: Sequence[str], *, by: Principal, stamp: Stamp) -> None:
    """End them, each by a Cancel of its own, because topics, places in a chain and proofs belong to one chain.

    A Cancel's parts tell everybody, each of what was cancelled there. An Update tells the people by itself; the parts only silence
    loudspeakers, and are not for the public.
    """
    for chain_id in chains:
        rows = warnings.chain(conn, chain_id=chain_id)
        if not any(one.state in _OPEN_STATES and one.msg_type != "Cancel" for one in rows):
            continue  # It ended before.
        part = _part(conn, row, rows, stamp=stamp, by=by)
        if row.msg_type == "Update":
            succession.take_over(conn, chain_id=chain_id, message_no=messages.number(conn, message_id=row.id))
            cancel(conn, part, rows, by=by, stamp=stamp, as_="superseded", because=row.id)
        else:
            cancel(conn, part, rows, by=by, stamp=stamp)


def _part(conn: Connection, row: Row[Any], chain: Sequence[Row[Any]], *, by: Principal, stamp: Stamp) -> Row[Any]:
    """Store the part of a message that ends one other chain, as a Cancel that is dispatching."""
    whole = cap.parse(row.document)
    chain_id = chain[0].chain_id
    keys = {(one.sender, one.identifier) for one in chain}
    alert = replace(
        whole,
        identifier=f"{whole.identifier}.{chain_id}",
        msg_type="Cancel",
        references=tuple(each for each in whole.references if each.key in keys),
        infos=whole.infos if whole.msg_type == "Cancel" else (),
    )
    public = row.scope if row.msg_type == "Cancel" else "Private"
    return _store(
        conn, alert, chain, scope=public, by=by, stamp=stamp, told={"of": row.id}, cancel_kind=row.cancel_kind
    )


# ---- drills --------------------------------------------------------------------------------------------------------------------------


def end_drills(conn: Connection, row: Row[Any], *, codes: Sequence[str], by: Principal, stamp: Stamp) -> None:
    """End the drills that run where a real warning for these regions was released: nobody shall take one for the other.

    Whoever heard the drill is told so, marked as part of the drill; the drill's totals stay its own.
    """
    paths = list(directory.paths(conn, codes=codes).values())
    for chain_id, areas in messages.drills_by_chain(conn).items():
        if any(one.startswith(other) or other.startswith(one) for one in paths for other in areas):
            _end_drill(conn, row, chain_id, by=by, stamp=stamp)


def _end_drill(conn: Connection, row: Row[Any], chain_id: str, *, by: Principal, stamp: Stamp) -> None:
    chain = warnings.chain(conn, chain_id=chain_id)
    alerts = [cap.parse(one.document) for one in chain if one.msg_type != "Cancel"]
    identifier = f"{alerts[0].identifier}.{row.id}"
    drafted = cancel_of(alerts, kind=None, reason="", identifier=identifier, now=from_ms(stamp.now_ms))
    infos = tuple(replace(info, description=_drill_ends(info.language)) for info in drafted.infos)
    told = {"ended_by": row.id}
    ending = _store(
        conn, replace(drafted, infos=infos), chain, scope=drafted.scope, by=by, stamp=stamp, told=told, cancel_kind=None
    )
    events.append(
        conn, stamp=stamp, kind="drill.ended", message_id=chain_id, data={"because": row.id, "cancel": ending.id}
    )
    cancel(conn, ending, chain, by=by, stamp=stamp, because=row.id)


def _drill_ends(language: str | None) -> str:
    return _DRILL_ENDS["zh" if (language or "").lower().startswith("zh") else "en"]


def _store(
    conn: Connection,
    alert: cap.Alert,
    chain: Sequence[Row[Any]],
    *,
    scope: str,
    by: Principal,
    stamp: Stamp,
    told: dict[str, str],
    cancel_kind: str | None,
) -> Row[Any]:
    """Store a Cancel that nobody brought, at the end of a chain, dispatching; return its row."""
    document = cap.write(alert)
    chain_id = chain[0].chain_id
    digest = hashlib.sha256(f"{alert.identifier} {chain_id}".encode()).digest()
    id_ = base64.b32encode(digest).decode().lower()[:_ID_CHARS]  # The same whenever it is made: a repeat stays one.
    first = alert.infos[0] if alert.infos else None
    new = NewWarning(
        id=id_,
        chain_id=chain_id,
        seq=1 + max(one.seq for one in chain),
        sender=alert.sender,
        identifier=alert.identifier,
        sent=to_ms(alert.sent),
        status=alert.status,
        msg_type="Cancel",
        scope=scope,
        level=None,
        event=first.event if first else "",
        headline=(first.headline or first.event) if first else "",
        expires=None,
        refs=[(each.sender, each.identifier, each.sent.isoformat() if each.sent else "") for each in alert.references],
        cancel_kind=cancel_kind,
        state="in_review",
        reasons=[],
        content_hash=cap.canonical_hash(alert),
        document=document,
        source=by.name,
    )
    warnings.insert(conn, new, stamp=stamp)
    approval: dict[str, Any] = {"by": by.name, "at": stamp.now_ms, "action": "release"}
    warnings.approve(conn, warning_id=id_, approvals=[approval])
    warnings.move(
        conn,
        warning_id=id_,
        old="in_review",
        new="dispatching",
        stamp=stamp,
        by=by.name,
        because=next(iter(told.values())),
    )
    stored = warnings.by_id(conn, warning_id=id_)
    assert stored is not None
    return stored
