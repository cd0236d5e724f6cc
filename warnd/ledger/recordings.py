"""Recordings and what a message's commands carry of them, decided once for ever: terminals refuse a second version (DESIGN §9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger import events
from warnd.ledger.events import Stamp
from warnd.ledger.values import many

_AHEAD = 50  # Messages looked at in one go.
_IN_FORCE = "m.closed_as IS NULL AND m.expires_at > :now"


@dataclass(frozen=True, slots=True)
class Kept:
    """A recording that is there."""

    sha256: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Spoken:
    """One entry of a command's speech, as decided.

    Attributes:
        sha256, url, duration_ms: All three, or None for the terminal's own voice.
    """

    lang: str
    text: str
    sha256: str | None = None
    url: str | None = None
    duration_ms: int | None = None


def known(conn: Connection, *, made_of: Sequence[str]) -> dict[str, Kept]:
    """Return the recordings that were made of these, by what they were made of."""
    if not made_of:
        return {}
    rows = conn.execute(
        many(
            "SELECT made_of, sha256, duration_ms FROM recording WHERE made_of IN :all ORDER BY made_at, sha256",
            "all",
            of=str,
        ),
        {"all": list(made_of)},
    )
    return {row.made_of: Kept(row.sha256, row.duration_ms) for row in rows}


def keep(
    conn: Connection,
    *,
    made_of: str,
    sha256: str,
    media: bytes,
    duration_ms: int,
    most_bytes: int,
    stamp: Stamp,
) -> None:
    """Keep a recording; then forget the oldest ones that no message in force names, until `most_bytes` suffice."""
    conn.execute(
        text(
            "INSERT INTO recording (sha256, made_of, media, size, media_type, duration_ms, made_at) "
            "VALUES (:sha256, :made_of, :media, :size, 'audio/mpeg', :duration_ms, :now) "
            "ON CONFLICT (made_of) DO NOTHING"
        ),
        {
            "sha256": sha256,
            "made_of": made_of,
            "media": media,
            "size": len(media),
            "duration_ms": duration_ms,
            "now": stamp.now_ms,
        },
    )
    _forget(conn, most_bytes=most_bytes, newest=made_of, now_ms=stamp.now_ms)


def _forget(conn: Connection, *, most_bytes: int, newest: str, now_ms: int) -> None:
    over = conn.execute(text("SELECT coalesce(sum(size), 0) FROM recording")).scalar_one() - most_bytes
    if over <= 0:
        return
    unused = conn.execute(
        text(
            "SELECT r.made_of, r.size FROM recording r WHERE r.made_of <> :newest AND NOT EXISTS (SELECT 1 FROM spoken s "
            f"JOIN message m ON m.no = s.message_no WHERE s.sha256 = r.sha256 AND {_IN_FORCE}) ORDER BY r.made_at, r.made_of"
        ),
        {"newest": newest, "now": now_ms},
    )
    for row in unused.all():
        if over <= 0:
            break
        conn.execute(text("DELETE FROM recording WHERE made_of = :made_of"), {"made_of": row.made_of})
        over -= row.size


def decided(conn: Connection, *, message_no: int, purpose: str) -> list[Spoken]:
    """Return what was decided, in speaking order; nothing was if it is empty."""
    rows = conn.execute(
        text(
            "SELECT lang, text, sha256, url, duration_ms FROM spoken WHERE message_no = :no AND purpose = :purpose ORDER BY place"
        ),
        {"no": message_no, "purpose": purpose},
    )
    return [Spoken(row.lang, row.text, row.sha256, row.url, row.duration_ms) for row in rows]


def decide(
    conn: Connection, *, message_no: int, purpose: str, speech: Sequence[Spoken], bare: Sequence[Spoken], stamp: Stamp
) -> list[Spoken]:
    """Decide on `speech`, unless it was decided before; return what stands.

    `bare` is the same without recordings. It stands where a command of the message was accepted before anything was decided, as
    when [speech] was added to the settings meanwhile: that command carried no recording, so no other may.
    """
    before = decided(conn, message_no=message_no, purpose=purpose)
    if before:
        return before
    chosen = list(bare if _commanded(conn, message_no) else speech)
    conn.execute(
        text(
            "INSERT INTO spoken (message_no, purpose, place, lang, text, sha256, url, duration_ms) "
            "VALUES (:no, :purpose, :place, :lang, :text, :sha256, :url, :duration_ms)"
        ),
        [
            {
                "no": message_no,
                "purpose": purpose,
                "place": place,
                "lang": one.lang,
                "text": one.text,
                "sha256": one.sha256,
                "url": one.url,
                "duration_ms": one.duration_ms,
            }
            for place, one in enumerate(chosen)
        ],
    )
    message_id = conn.execute(text("SELECT id FROM message WHERE no = :no"), {"no": message_no}).scalar_one()
    told = [{"lang": one.lang, "sha256": one.sha256} for one in chosen]
    events.append(conn, stamp=stamp, kind="speech.decided", message_id=message_id, data={"speech": told})
    return chosen


def _commanded(conn: Connection, message_no: int) -> bool:
    found = conn.execute(
        text(
            "SELECT 1 FROM leg l JOIN attempt a ON a.leg_no = l.no "
            "WHERE l.message_no = :no AND l.channel = 'mqtt' AND a.state = 'accepted' LIMIT 1"
        ),
        {"no": message_no},
    )
    return found.one_or_none() is not None


def undecided(conn: Connection, *, now_ms: int) -> list[Row[Any]]:
    """Return (no, urgency) of warnings in force whose speech is not decided, most urgent first."""
    rows = conn.execute(
        text(
            f"SELECT m.no, m.urgency FROM message m WHERE m.kind = 'warning' AND {_IN_FORCE} "
            "AND NOT EXISTS (SELECT 1 FROM spoken s WHERE s.message_no = m.no) ORDER BY m.urgency, m.no LIMIT :most"
        ),
        {"now": now_ms, "most": _AHEAD},
    )
    return list(rows)


def in_review(conn: Connection, *, now_ms: int) -> list[str]:
    """Return the ids of warnings that wait for their release, newest first."""
    rows = conn.execute(
        text(
            "SELECT id FROM warning WHERE state = 'in_review' AND msg_type <> 'Cancel' AND expires > :now "
            "ORDER BY no DESC LIMIT :most"
        ),
        {"now": now_ms, "most": _AHEAD},
    )
    return list(rows.scalars())


def served(conn: Connection, *, sha256: str, now_ms: int) -> bool:
    """Say whether a message in force names a recording; no other is served, so that none leaks before its release."""
    found = conn.execute(
        text(
            "SELECT 1 FROM spoken s JOIN message m ON m.no = s.message_no "
            f"WHERE s.sha256 = :sha256 AND {_IN_FORCE} LIMIT 1"
        ),
        {"sha256": sha256, "now": now_ms},
    )
    return found.one_or_none() is not None


def media(conn: Connection, *, sha256: str) -> bytes | None:
    """Return a recording."""
    found: bytes | None = conn.execute(
        text("SELECT media FROM recording WHERE sha256 = :sha256 LIMIT 1"), {"sha256": sha256}
    ).scalar_one_or_none()
    return found
