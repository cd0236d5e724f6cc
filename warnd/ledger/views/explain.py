"""Why one recipient did or did not hear one warning: everything the ledger knows of the two, side by side."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger import directory
from warnd.ledger.legs import OBLIGED
from warnd.ledger.values import from_ms, many, maybe_time
from warnd.ledger.views.deliveries import COLUMNS, documents
from warnd.ledger.views.legs import legs
from warnd.model.documents import (
    DeliveryDocument,
    Explanation,
    OptOutDocument,
    PlaybackDocument,
    PublicationDocument,
    ReceiptDocument,
    RecipientDocument,
)
from warnd.model.evidence import Evidence
from warnd.model.mask import masked
from warnd.model.region import path_codes

_MOST = 1_000  # Receipts shown; nobody reads more, and a broken gateway may send any number.


def explain(conn: Connection, *, warning_id: str, recipient_id: str, now: datetime) -> Explanation | None:
    """Return what became of one warning for one recipient, or None if no warning has this id.

    A recipient that is not in the directory, or was not meant to hear, gives an explanation without deliveries.
    """
    if conn.execute(text("SELECT 1 FROM warning WHERE id = :id"), {"id": warning_id}).one_or_none() is None:
        return None
    message = conn.execute(text("SELECT * FROM message WHERE id = :id"), {"id": warning_id}).one_or_none()
    rev = message.directory_rev if message is not None else directory.revision(conn)
    found = _recipient(conn, recipient_id, rev)
    nothing = Explanation(
        warning=warning_id,
        at=now,
        asked=recipient_id,
        recipient=None if found is None else _described(conn, found),
        deliveries=[],
        receipts=[],
        publications=[],
        playbacks=[],
        opted_out=[] if found is None else _opted_out(conn, found),
    )
    if found is None or message is None:
        return nothing
    told = replace(
        nothing, deliveries=_deliveries(conn, message, found.no), receipts=_receipts(conn, message, found.no)
    )
    if found.kind != "terminal":
        return told
    return replace(
        told,
        publications=_publications(conn, message, found.region),
        playbacks=_playbacks(conn, message, recipient_id),
    )


def _recipient(conn: Connection, recipient_id: str, rev: int) -> Row[Any] | None:
    return conn.execute(
        text(
            "SELECT c.no, v.no AS version_no, c.id, v.kind, v.name, v.region, v.lang, v.phone, v.email, v.apprise "
            "FROM recipient c JOIN recipient_version v ON v.recipient_no = c.no "
            "WHERE c.id = :id AND v.from_rev <= :rev AND (v.to_rev IS NULL OR v.to_rev > :rev)"
        ),
        {"id": recipient_id, "rev": rev},
    ).one_or_none()


def _described(conn: Connection, row: Row[Any]) -> RecipientDocument:
    seats = conn.execute(
        text("SELECT role, region FROM seat WHERE version_no = :no ORDER BY role, region"), {"no": row.version_no}
    )
    return RecipientDocument(
        id=row.id,
        kind=row.kind,
        name=row.name,
        region=row.region,
        lang=row.lang,
        phone_masked=masked(row.phone) if row.phone else None,
        email_masked=masked(row.email) if row.email else None,
        apprise_masked=masked(row.apprise) if row.apprise else None,
        seats=[f"{seat.role}@{seat.region}" for seat in seats],
    )


_ASKED = many(
    "SELECT channel, address, since FROM opt_out WHERE address IN :addresses ORDER BY channel", "addresses", of=str
)


def _opted_out(conn: Connection, row: Row[Any]) -> list[OptOutDocument]:
    addresses = [address for address in (row.phone, row.email, row.apprise) if address]
    obliged = conn.execute(
        text(f"SELECT 1 FROM recipient_version v WHERE v.no = :no AND {OBLIGED}"), {"no": row.version_no}
    ).one_or_none()
    return [
        OptOutDocument(
            channel=asked.channel,
            address_masked=masked(asked.address),
            since=from_ms(asked.since),
            obliged=obliged is not None,
        )
        for asked in conn.execute(_ASKED, {"addresses": addresses})
    ]


def _deliveries(conn: Connection, message: Row[Any], recipient_no: int) -> list[DeliveryDocument]:
    rows = conn.execute(
        text(
            f"SELECT {COLUMNS} FROM delivery d JOIN recipient c ON c.no = d.recipient_no "
            "WHERE d.message_no = :no AND d.recipient_no = :recipient ORDER BY d.no"
        ),
        {"no": message.no, "recipient": recipient_no},
    ).all()
    return documents(conn, rows, closed_as=message.closed_as)


def _receipts(conn: Connection, message: Row[Any], recipient_no: int) -> list[ReceiptDocument]:
    rows = conn.execute(
        text(
            "SELECT r.channel, r.kind, r.evidence, r.failed, r.part, r.parts, r.reason, r.at, r.received_at "
            "FROM delivery d JOIN receipt r ON r.delivery_no = d.no "
            "WHERE d.message_no = :no AND d.recipient_no = :recipient ORDER BY r.received_at, r.no LIMIT :most"
        ),
        {"no": message.no, "recipient": recipient_no, "most": _MOST},
    )
    return [
        ReceiptDocument(
            channel=row.channel,
            kind=row.kind,
            evidence=Evidence(row.evidence).word,  # type: ignore[arg-type] # a word of a closed list
            failed=bool(row.failed),
            part=row.part,
            parts=row.parts,
            reason=row.reason,
            at=maybe_time(row.at),
            received_at=from_ms(row.received_at),
        )
        for row in rows
    ]


_TOPICS = many(
    "SELECT no, channel, target FROM publication WHERE message_no = :no AND target IN :targets ORDER BY no",
    "targets",
    of=str,
)


def _publications(conn: Connection, message: Row[Any], region: str) -> list[PublicationDocument]:
    """Return the sends to topics that a terminal of this region reads: its own region's and every one above."""
    place = directory.find_regions(conn, codes=[region]).get(region)
    rows = conn.execute(_TOPICS, {"no": message.no, "targets": path_codes(place.path) if place else [region]}).all()
    found = legs(conn, kind="publication", owners=[row.no for row in rows])
    return [PublicationDocument(channel=row.channel, target=row.target, legs=found.get(row.no, [])) for row in rows]


def _playbacks(conn: Connection, message: Row[Any], terminal: str) -> list[PlaybackDocument]:
    rows = conn.execute(
        text(
            "SELECT stage, pass_done, played_ms, amplifier, reason, at, received_at FROM terminal_receipt "
            "WHERE message_id = :id AND terminal = :terminal ORDER BY received_at, boot_id, n LIMIT :most"
        ),
        {"id": message.id, "terminal": terminal, "most": _MOST},
    )
    return [
        PlaybackDocument(
            stage=row.stage,
            pass_done=row.pass_done,
            played_ms=row.played_ms,
            amplifier=row.amplifier,
            reason=row.reason,
            at=maybe_time(row.at),
            received_at=from_ms(row.received_at),
        )
        for row in rows
    ]
