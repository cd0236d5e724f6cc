"""What must be true of a store at every commit (DESIGN §11), read from its tables alone.

Each function takes a connection to any store, simulated or of a real daemon that was killed, and fails by naming the rows that break
the rule. What must be delivered is computed here a second time, in plain Python, from plan, directory and area.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger import events
from warnd.model.evidence import Evidence
from warnd.model.region import path_codes, stored_code

Rows = list[Row[Any]]


def check(conn: Connection, *, jurisdiction: Collection[str] = ()) -> None:
    """Check everything that one look can tell; evidence that falls takes two, see `standing` and `never_fell`."""
    deliveries_are_what_was_asked(conn, jurisdiction=jurisdiction)
    proofs_stand(conn)
    nothing_left_after_the_end(conn)
    whoever_heard_is_told_of_the_end(conn)
    one_open_attempt_per_leg(conn)
    drills_stay_apart(conn)
    villages_are_confirmed_by_receipts(conn)
    record_is_whole(conn)
    counters_tell_the_truth(conn)


# ---- 1: the deliveries are exactly those that plan, directory revision and area give ------------------------------------------------


def deliveries_are_what_was_asked(conn: Connection, *, jurisdiction: Collection[str] = ()) -> None:
    """Compare the deliveries of every message that is planned whole with those computed from its plan, directory and area."""
    for message in _rows(conn, "SELECT * FROM message WHERE kind = 'warning' AND stage = 'planned'"):
        asked = _asked(conn, message, jurisdiction=jurisdiction)
        rows = _rows(conn, "SELECT * FROM delivery WHERE message_no = :no", no=message.no)
        planned = {row.recipient_no: row.audience for row in rows if row.purpose == "warning" and row.audience >= 0}
        heard = {row.recipient_no for row in rows if row.evidence > 0}
        missing = {no: index for no, index in asked.items() if planned.get(no) != index}
        assert not missing, (message.id, "asked for and not planned", missing)
        extra = {no for no in planned if no not in asked and no not in heard}
        assert not extra, (message.id, "planned and not asked for", extra)
        told = {row.recipient_no for row in rows if row.purpose == "area"}
        assert not told & set(asked), (message.id, "told to be outside and yet targeted", told & set(asked))
    assert not _rows(conn, "SELECT id FROM warning WHERE state = 'dispatching' AND id NOT IN (SELECT id FROM message)")


def _asked(conn: Connection, message: Row[Any], *, jurisdiction: Collection[str]) -> dict[int, int]:
    """Return recipient number -> index of the first audience that it belongs to."""
    own = {stored_code(code) for code in jurisdiction}
    regions = {row.code: row for row in _rows(conn, "SELECT code, path, tier, from_rev FROM region")}
    rev = message.directory_rev
    versions = [
        row
        for row in _rows(conn, "SELECT * FROM recipient_version ORDER BY no")
        if row.from_rev <= rev and (row.to_rev is None or row.to_rev > rev)
    ]
    seats: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for row in _rows(conn, "SELECT version_no, role, region FROM seat"):
        seats[row.version_no].append((row.role, row.region))
    roots = _rows(conn, "SELECT code FROM target_root WHERE message_no = :no AND outside = 0", no=message.no)
    named = {row.code for row in roots}
    targeted = {c for c, r in regions.items() if r.from_rev <= rev and named & set(path_codes(r.path))}
    above = {c for code in targeted for c in path_codes(regions[code].path)} - targeted
    above = {c for c in above if c in regions and (not own or own & set(path_codes(regions[c].path)))}
    pointed = _rows(conn, "SELECT recipient_no FROM target_recipient WHERE message_no = :no", no=message.no)
    points = {row.recipient_no for row in pointed}
    found: dict[int, int] = {}
    for index, audience in enumerate(json.loads(message.plan)["audiences"]):
        for version in versions:
            if _belongs(audience, version, seats[version.no], message, (regions, targeted, above, points)):
                found.setdefault(version.recipient_no, index)
    return found


def _belongs(
    audience: dict[str, Any],
    version: Row[Any],
    held: list[tuple[str, str]],
    message: Row[Any],
    places: tuple[dict[str, Row[Any]], set[str], set[str], set[int]],
) -> bool:
    regions, targeted, above, points = places
    if audience["kind"] == "terminals":
        return version.kind == "terminal" and version.region in targeted
    if audience["kind"] == "public":
        near = version.region in targeted or version.recipient_no in points
        return bool(message.public) and version.kind == "household" and near
    wide: set[str] = set()
    if "village" in audience["where"]:
        wide |= {code for code in targeted if regions[code].tier == "village"}
    if "targeted" in audience["where"]:
        wide |= targeted
    if "ancestors" in audience["where"]:
        wide |= above
    return any(role in audience["roles"] and region in wide for role, region in held)


# ---- 2: evidence never falls, satisfied stays satisfied, confirmed stays confirmed ---------------------------------------------------

Standing = tuple[dict[int, tuple[int, bool]], set[int]]


def standing(conn: Connection) -> Standing:
    """Return what may only rise: evidence and satisfaction by delivery, and the villages that are confirmed."""
    rows = _rows(conn, "SELECT no, evidence, state FROM delivery")
    confirmed = _rows(conn, "SELECT no FROM target WHERE confirmed_at IS NOT NULL")
    return {row.no: (row.evidence, row.state == "satisfied") for row in rows}, {row.no for row in confirmed}


def never_fell(before: Standing, after: Standing) -> None:
    """Compare two looks at the same store, or at the store and what a crash left of it."""
    for no, (evidence, satisfied) in before[0].items():
        now, still = after[0][no]
        assert now >= evidence, f"delivery {no} fell from {evidence} to {now}"
        assert still or not satisfied, f"delivery {no} is no longer satisfied"
    assert before[1] <= after[1], f"villages {before[1] - after[1]} are no longer confirmed"


def proofs_stand(conn: Connection) -> None:
    """Satisfied means proved, an open delivery of an open message is not proved, and the record shows no fall."""
    assert not _rows(conn, "SELECT no FROM delivery WHERE state = 'satisfied' AND evidence < proof")
    assert not _rows(
        conn,
        "SELECT d.no FROM delivery d JOIN message m ON m.no = d.message_no WHERE d.state IN ('open', 'exhausted') "
        "AND d.evidence >= d.proof AND m.closed_as IS NULL",
    )
    known: dict[int, Evidence] = {}
    for row in _rows(conn, "SELECT data FROM event WHERE kind = 'evidence.rose' ORDER BY no"):
        for no, word, _ in json.loads(row.data)["deliveries"]:
            assert Evidence.named(word) > known.get(no, Evidence.NONE), f"delivery {no} did not rise to {word}"
            known[no] = Evidence.named(word)
    kept = {row.no: row.evidence for row in _rows(conn, "SELECT no, evidence FROM delivery")}
    assert all(kept[no] == evidence for no, evidence in known.items())


# ---- 3, 4: cancel, expiry and withdrawal ---------------------------------------------------------------------------------------------


def nothing_left_after_the_end(conn: Connection) -> None:
    """No attempt was claimed after its message was closed or had outlived itself."""
    late = _rows(
        conn,
        "SELECT a.leg_no, a.number, m.id FROM attempt a JOIN leg l ON l.no = a.leg_no JOIN message m ON m.no = l.message_no "
        "WHERE a.submitted_at > m.closed_at OR a.submitted_at >= m.expires_at",
    )
    assert not late, late


def whoever_heard_is_told_of_the_end(conn: Connection) -> None:
    """Whoever may have got a version that was withdrawn has a delivery of what withdrew it, once that is planned whole."""
    untold = _rows(
        conn,
        "SELECT old.id, d.recipient_no FROM message old JOIN delivery d ON d.message_no = old.no "
        "JOIN message new ON new.chain_id = old.chain_id AND new.no = (SELECT max(n.no) FROM message n "
        "WHERE n.chain_id = old.chain_id AND n.closed_as IS NULL AND n.stage = 'planned' AND n.seq > old.seq) "
        "WHERE old.closed_as = 'withdrawn' AND (d.evidence > 0 OR EXISTS (SELECT 1 FROM leg l JOIN attempt a ON a.leg_no = l.no "
        "WHERE l.delivery_no = d.no AND a.state <> 'failed')) AND NOT EXISTS (SELECT 1 FROM delivery told "
        "WHERE told.message_no = new.no AND told.recipient_no = d.recipient_no) AND NOT EXISTS (SELECT 1 FROM succession s "
        "JOIN message took ON took.no = s.message_no JOIN message heir ON heir.chain_id = took.chain_id AND heir.seq >= took.seq "
        "JOIN delivery told ON told.message_no = heir.no AND told.recipient_no = d.recipient_no WHERE s.chain_id = old.chain_id)",
    )
    assert not untold, untold


# ---- 5: attempts ---------------------------------------------------------------------------------------------------------------------


def one_open_attempt_per_leg(conn: Connection) -> None:
    """Only a leg's newest attempt is under way, exactly while the leg is; and what may have arrived before is said to be a repeat."""
    assert not _rows(
        conn,
        "SELECT a.leg_no, a.number FROM attempt a JOIN leg l ON l.no = a.leg_no "
        "WHERE a.state = 'submitting' AND (a.number <> l.attempts OR l.state <> 'submitting')",
    )
    assert not _rows(
        conn,
        "SELECT l.no FROM leg l LEFT JOIN attempt a ON a.leg_no = l.no AND a.number = l.attempts "
        "WHERE l.state = 'submitting' AND coalesce(a.state, '') <> 'submitting'",
    )
    assert not _rows(conn, "SELECT no FROM leg WHERE state = 'submitting' AND lease_until IS NULL")
    unmarked = _rows(
        conn,
        "SELECT b.leg_no, b.number FROM attempt b WHERE b.repeat = 0 AND EXISTS (SELECT 1 FROM attempt a "
        "WHERE a.leg_no = b.leg_no AND a.number < b.number AND a.state IN ('accepted', 'unknown'))",
    )
    assert not unmarked, unmarked
    hasty = _rows(
        conn,
        "SELECT b.leg_no, b.number FROM attempt b JOIN attempt a ON a.leg_no = b.leg_no AND a.number = b.number - 1 "
        "JOIN leg l ON l.no = b.leg_no WHERE a.state = 'unknown' AND b.submitted_at < a.submitted_at + l.wait_ms",
    )
    assert not hasty, hasty


# ---- 7: drills -----------------------------------------------------------------------------------------------------------------------


def drills_stay_apart(conn: Connection) -> None:
    """A drill uses no live lane, no public page and no household; the real thing uses no drill lane."""
    assert not _rows(
        conn,
        "SELECT l.no FROM leg l JOIN message m ON m.no = l.message_no WHERE (l.lane LIKE '%drill') <> (m.drill = 1)",
    )
    assert not _rows(
        conn,
        "SELECT l.no FROM leg l JOIN message m ON m.no = l.message_no LEFT JOIN delivery d ON d.no = l.delivery_no "
        "LEFT JOIN recipient_version v ON v.no = d.version_no WHERE m.drill = 1 AND (l.channel = 'web' OR v.kind = 'household')",
    )
    assert not _rows(conn, "SELECT id FROM message WHERE drill = 1 AND public = 1")


# ---- 8: villages ---------------------------------------------------------------------------------------------------------------------


def villages_are_confirmed_by_receipts(conn: Connection) -> None:
    """A village is confirmed if and only if receipts that can be shown meet its rule."""
    for row in _rows(
        conn,
        "SELECT t.*, m.id, m.drill, m.terminal_rule, m.bare_rule FROM target t JOIN message m ON m.no = t.message_no "
        "WHERE t.tier = 'village' AND t.ancestor = 0 AND m.kind = 'warning'",
    ):
        played = _rows(
            conn,
            "SELECT 1 FROM terminal_receipt p JOIN recipient r ON r.id = p.terminal "
            "JOIN recipient_version v ON v.recipient_no = r.no AND v.kind = 'terminal' AND v.region = :code "
            "WHERE p.message_id = :id AND p.drill = :drill AND p.stage = 'played' AND p.amplifier <> 'fault' LIMIT 1",
            code=row.code,
            id=row.id,
            drill=row.drill,
        )
        answered = _rows(
            conn,
            "SELECT 1 FROM receipt p JOIN delivery d ON d.no = p.delivery_no JOIN seat s ON s.version_no = d.version_no "
            "AND s.region = :code AND s.role IN ('information_officer', 'deputy_officer') "
            "WHERE d.message_no = :no AND d.purpose = 'warning' AND p.evidence = 4 AND p.failed = 0 LIMIT 1",
            code=row.code,
            no=row.message_no,
        )
        met = _met(row, played=bool(played), answered=bool(answered))
        assert met == (row.confirmed_at is not None), (row.id, row.code, "rule met" if met else "rule not met")


def _met(row: Row[Any], *, played: bool, answered: bool) -> bool:
    if row.has_terminal:
        return (played and answered) if row.terminal_rule == "both" else (played or answered)
    return bool(row.bare_rule == "officer") and answered


# ---- 10, 11: the record and the counters -----------------------------------------------------------------------------------------------


def record_is_whole(conn: Connection) -> None:
    """The event chains verify."""
    assert not list(events.verify(conn))


def counters_tell_the_truth(conn: Connection) -> None:
    """Counters equal a scan of the deliveries, tallies a scan of the villages."""
    scanned: Counter[tuple[int, str, int, str]] = Counter()
    for row in _rows(conn, "SELECT message_no, region, evidence, state FROM delivery"):
        scanned.update((row.message_no, place, row.evidence, row.state) for place in ("", row.region))
    counted = {
        (row.message_no, row.region, row.evidence, row.state): row.n
        for row in _rows(conn, "SELECT * FROM counter WHERE n <> 0")
    }
    assert counted == dict(scanned)
    _channels_tell_the_truth(conn)
    assert _tallies(conn) == _villages(conn)


def _channels_tell_the_truth(conn: Connection) -> None:
    """What channels are counted to have brought is what their legs say, and no leg says more than its delivery."""
    legs = _rows(conn, "SELECT message_no, channel, evidence FROM leg WHERE delivery_no IS NOT NULL AND evidence > 0")
    by_channel = Counter((row.message_no, row.channel, Evidence(row.evidence).word) for row in legs)
    kept = _rows(conn, "SELECT * FROM channel_tally WHERE n <> 0 AND what <> 'segments'")
    assert {(row.message_no, row.channel, row.what): row.n for row in kept} == dict(by_channel)
    unlike = _rows(
        conn,
        "SELECT d.no, d.evidence, max(l.evidence) AS best FROM delivery d JOIN leg l ON l.delivery_no = d.no "
        "GROUP BY d.no, d.evidence HAVING max(l.evidence) <> d.evidence",
    )
    assert not unlike, unlike


def _tallies(conn: Connection) -> dict[tuple[int, str], tuple[int, int, int]]:
    rows = _rows(conn, "SELECT * FROM village_tally")
    return {(row.message_no, row.region): (row.targeted, row.confirmed, row.late) for row in rows}


def _villages(conn: Connection) -> dict[tuple[int, str], tuple[int, int, int]]:
    found: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in _rows(conn, "SELECT * FROM target WHERE tier = 'village' AND ancestor = 0"):
        for place in ("", *path_codes(row.path)):
            cell = found[row.message_no, place]
            cell[0] += 1
            cell[1] += row.confirmed_at is not None
            cell[2] += row.late or 0
    return {key: (cell[0], cell[1], cell[2]) for key, cell in found.items()}


def _rows(conn: Connection, statement: str, **values: Any) -> Rows:
    rows: Iterable[Row[Any]] = conn.execute(text(statement), values)
    return list(rows)
