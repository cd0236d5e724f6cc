"""What the API reads: totals from counters, listings page by page, nothing more than was asked for."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from tests.cap.alerts import ALERT
from tests.fakes.clock import START
from tests.fakes.rows import COUNTY, RELEASED, Rows
from tests.stores import store_url
from warnd.ledger import schema, views
from warnd.ledger.store import open_engine, upgrade
from warnd.ledger.views import BadCursor, UnknownRegion
from warnd.model.documents import ConfirmedAt, DeliveryCounts, EvidenceCounts, RegionCoverage, Totals, VillageCounts
from warnd.model.level import Level


@pytest.fixture
def conn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    url = store_url(tmp_path_factory.mktemp("store"))
    upgrade(url)
    engine = open_engine(url)
    with engine.begin() as opened:
        yield opened
    engine.dispose()


@pytest.fixture
def rows(conn: Connection) -> Rows:
    return Rows(conn)


def test_a_warning_nobody_released_has_zero_totals_and_is_not_planned(conn: Connection, rows: Rows) -> None:
    rows.warning("w1", ALERT, state="in_review")
    found = views.warning(conn, warning_id="w1")
    assert found is not None
    assert (found.state, found.level, found.totals) == ("in_review", "red", Totals())
    assert not found.totals.planned
    assert views.warning(conn, warning_id="other") is None


def test_totals_count_each_delivery_once_by_state_and_once_by_evidence(conn: Connection, rows: Rows) -> None:
    rows.warning("w1", ALERT)
    no = rows.message("w1")
    for evidence, state, n in ((0, "open", 5), (2, "open", 7), (4, "satisfied", 11), (1, "exhausted", 0)):
        rows.counter(no, evidence=evidence, state=state, n=n)
    rows.counter(
        no, evidence=0, state="open", n=99, region=COUNTY
    )  # A region's own count, which is in the whole already.
    rows.tally(no, "", targeted=10, confirmed=4, late=1)
    found = views.warning(conn, warning_id="w1")
    assert found is not None
    assert found.totals == Totals(
        DeliveryCounts(open=12, satisfied=11),
        EvidenceCounts(none=5, delivered=7, acknowledged=11),
        VillageCounts(targeted=10, confirmed=4, confirmed_late=1, unconfirmed=6),
        planned=True,
    )


def test_closing_a_message_ends_its_open_deliveries_in_every_view(conn: Connection, rows: Rows) -> None:
    village = rows.county()[0]
    rows.warning("w1", ALERT, state="cancelled")
    no = rows.message("w1", closed_as="withdrawn", stage="audience:0")
    rows.counter(no, evidence=0, state="open", n=1)
    rows.counter(no, evidence=4, state="satisfied", n=1)
    rows.delivery(no, rows.recipient("p1", village), village)
    rows.delivery(no, rows.recipient("p2", village), village, state="satisfied", evidence=4)
    found = views.warning(conn, warning_id="w1")
    assert found is not None
    assert found.totals.deliveries == DeliveryCounts(withdrawn=1, satisfied=1)
    assert not found.totals.planned

    def states(state: str | None) -> list[str]:
        page = views.deliveries(conn, warning_id="w1", limit=10, state=state)
        assert page is not None
        return [each.state for each in page.deliveries]

    assert states(None) == ["withdrawn", "satisfied"]
    assert states("withdrawn") == ["withdrawn"]
    assert states("open") == []
    assert states("expired") == []


def test_reasons_references_and_approvals_are_told_as_they_were_kept(conn: Connection, rows: Rows) -> None:
    rows.warning(
        "w1",
        ALERT,
        state="held",
        level=None,
        reasons='[{"code":"level_unknown","element":"info[1]","cause":"c","fix":"f","verdict":"hold"}]',
        refs='[["s@x","a1","2026-07-01T08:00:00+08:00"],["s@x","a0",""]]',
        approvals=f'[{{"by":"token:7","at":{RELEASED},"action":"release"}}]',
    )
    found = views.warning(conn, warning_id="w1")
    assert found is not None
    assert found.level is None
    assert [(each.code, each.verdict) for each in found.reasons] == [("level_unknown", "hold")]
    assert [each.sent for each in found.references] == [START.replace(month=7, day=1, hour=0, minute=0), None]
    assert [(each.by, each.at) for each in found.approvals] == [("token:7", START)]


def test_warnings_are_listed_newest_first_and_page_by_page(conn: Connection, rows: Rows) -> None:
    for number in range(7):
        rows.warning(f"w{number}", ALERT, state="held" if number % 2 else "dispatching")
    seen: list[str] = []
    cursor = None
    while True:
        page = views.warnings(conn, limit=3, cursor=cursor)
        seen += [each.id for each in page.warnings]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == [f"w{number}" for number in reversed(range(7))]
    assert [each.id for each in views.warnings(conn, limit=9, state="held").warnings] == ["w5", "w3", "w1"]
    key = {"sender": ALERT.sender, "identifier": f"{ALERT.identifier}-w4"}
    assert [each.id for each in views.warnings(conn, limit=9, **key).warnings] == ["w4"]
    assert views.warnings(conn, limit=9, sender="nobody@example").warnings == []


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "!",
        "AAAA",
        "WyJhIl0",
        "e30",
        "W10",
        "WzEsMl0",
        "WzFlOTld",
        "WzEwMDAwMDAwMDAwMDAwMDAwMDAwMDBd",
        "é",
        "W" * 2000,
    ],
)
def test_a_cursor_that_is_none_of_ours_is_refused(conn: Connection, cursor: str) -> None:
    with pytest.raises(BadCursor):
        views.warnings(conn, limit=1, cursor=cursor)


def test_deliveries_are_listed_by_region_with_masked_addresses_and_their_tries(conn: Connection, rows: Rows) -> None:
    villages = rows.county()
    rows.warning("w1", ALERT)
    no = rows.message("w1")
    for village in reversed(villages):
        delivery = rows.delivery(no, rows.recipient(f"p-{village}", village), village, evidence=1)
        leg = rows.leg(no, delivery=delivery)
        rows.attempt(leg, 1, state="failed", reason="21610 unsubscribed")
        rows.attempt(leg, 2)
    seen, cursor = [], None
    for _ in range(3):
        page = views.deliveries(conn, warning_id="w1", limit=2, cursor=cursor)
        assert page is not None
        seen += page.deliveries
        cursor = page.cursor
    assert cursor is None
    assert [each.region for each in seen] == villages
    leg_shown = seen[0].legs[0]
    assert (leg_shown.channel, leg_shown.address_masked) == ("sms", "+86138*****21")
    assert [(each.number, each.state, each.reason) for each in leg_shown.attempts] == [
        (1, "failed", "21610 unsubscribed"),
        (2, "accepted", None),
    ]
    assert (seen[0].evidence, seen[0].proof) == ("accepted", "acknowledged")


def test_deliveries_of_a_region_are_those_of_all_below_it(conn: Connection, rows: Rows) -> None:
    villages = rows.county()
    rows.warning("w1", ALERT)
    no = rows.message("w1")
    for village in villages:
        rows.delivery(no, rows.recipient(f"p-{village}", village), village)

    def regions(code: str) -> list[str]:
        page = views.deliveries(conn, warning_id="w1", limit=100, region=code)
        assert page is not None
        return [each.region for each in page.deliveries]

    assert regions("990101") == villages
    assert regions("990101002000") == villages[3:]
    assert regions(villages[1]) == [villages[1]]
    with pytest.raises(UnknownRegion):
        regions("110000")
    page = views.deliveries(conn, warning_id="w1", limit=100, recipient=f"p-{villages[2]}")
    assert page is not None
    assert [each.recipient for each in page.deliveries] == [f"p-{villages[2]}"]
    assert views.deliveries(conn, warning_id="nothing", limit=1) is None


def test_a_page_looks_at_a_bounded_number_of_rows_and_says_that_more_follow(conn: Connection, rows: Rows) -> None:
    villages = rows.county()
    rows.warning("w1", ALERT)
    no = rows.message("w1")
    for village in villages:
        state = "exhausted" if village == villages[-1] else "open"
        rows.delivery(no, rows.recipient(f"p-{village}", village), village, state=state)
    first = views.deliveries(conn, warning_id="w1", limit=100, state="exhausted", look_at=4)
    assert first is not None
    assert first.deliveries == []
    assert first.cursor is not None
    second = views.deliveries(conn, warning_id="w1", limit=100, state="exhausted", cursor=first.cursor, look_at=4)
    assert second is not None
    assert [each.region for each in second.deliveries] == [villages[-1]]
    assert second.cursor is None


def test_a_terminal_is_online_by_its_heartbeats_and_offline_if_never_seen(conn: Connection, rows: Rows) -> None:
    village, other, third, *_ = rows.county()
    rows.terminal("fresh", village, amplifier="ok", clock="synced", volume=70)
    rows.terminal("stale", other, seen=RELEASED - 181_000)
    rows.terminal("gone", other, online=False)
    rows.terminal("never", third, online=None)
    rows.recipient("person", village)
    page = views.terminals(conn, now=START, limit=2)
    rest = views.terminals(conn, now=START, limit=9, cursor=page.cursor)
    seen = {each.id: each for each in (*page.terminals, *rest.terminals)}
    assert list(seen) == ["fresh", "stale", "gone", "never"]
    assert {each.id for each in seen.values() if each.online} == {"fresh"}
    assert (seen["fresh"].amplifier, seen["fresh"].clock, seen["fresh"].volume) == ("ok", "synced", 70)
    assert seen["never"].last_seen is None
    assert rest.cursor is None


def test_coverage_names_each_silent_village_and_counts_regions(conn: Connection, rows: Rows) -> None:
    villages = rows.county()
    rows.warning("w1", ALERT)
    no = rows.message("w1")
    now = START + timedelta(minutes=5)
    seen = RELEASED + 290_000
    rows.target(
        no, villages[0], played_at=RELEASED + 9_500, answered_at=RELEASED + 20_000, confirmed_at=RELEASED + 20_001
    )
    rows.target(no, villages[1], has_terminal=0)
    rows.target(no, villages[2])
    rows.target(no, villages[3])
    rows.target(no, villages[4], played_at=RELEASED + 9_000, has_officer=0)
    rows.target(no, COUNTY, tier="county", ancestor=1)
    rows.terminal("t2", villages[2], online=False, seen=RELEASED - 60_000)
    rows.terminal("t3", villages[3], seen=seen)
    rows.said("t3", "w1", "failed", n=1, at=RELEASED + 3_000, reason="busy")
    rows.said("t3", "w1", "played", n=2, at=RELEASED + 90_000, amplifier="fault")
    rows.terminal("t4", villages[4], seen=seen)
    rows.tally(no, "", targeted=5, confirmed=1)
    rows.tally(no, COUNTY, targeted=5, confirmed=1)
    rows.tally(no, "990101001000", targeted=3, confirmed=1)
    rows.tally(no, "990101002000", targeted=2)
    found = views.coverage(conn, warning_id="w1", jurisdiction=("990101",), now=now, limit=100)
    assert found is not None
    assert [(each.code, each.reason, each.detail) for each in found.unconfirmed] == [
        (villages[1], "no_terminal", None),
        (villages[2], "offline", None),
        (villages[3], "amplifier", "amplifier"),
        (villages[4], "no_officer", None),
    ]
    assert found.unconfirmed[1].since == START - timedelta(minutes=1)
    assert found.unconfirmed[2].since == START + timedelta(seconds=90)
    assert found.unconfirmed[0].name == "1-2村"
    assert found.regions == [
        RegionCoverage("990101001000", "第1乡", "township", 3, 1),
        RegionCoverage("990101002000", "第2乡", "township", 2, 0),
    ]
    assert found.cursor is None


@pytest.mark.parametrize(("reason", "told"), [("higher_priority", "refused"), (None, "not_played")])
def test_a_play_that_something_graver_cut_off_says_so_and_one_that_was_stopped_does_not(
    conn: Connection, rows: Rows, reason: str | None, told: str
) -> None:
    village = rows.county()[0]
    rows.warning("w1", ALERT)
    rows.target(rows.message("w1"), village)
    rows.terminal("t1", village, seen=RELEASED + 290_000)
    rows.said("t1", "w1", "playing", n=1, at=RELEASED + 1_000)
    rows.said("t1", "w1", "stopped", n=2, at=RELEASED + 2_000, reason=reason)
    now = START + timedelta(minutes=5)
    found = views.coverage(conn, warning_id="w1", jurisdiction=("990101",), now=now, limit=100)
    assert found is not None
    assert [(one.reason, one.detail) for one in found.unconfirmed] == [(told, reason)]


def test_coverage_of_a_parent_is_its_children_and_the_villages_below_it(conn: Connection, rows: Rows) -> None:
    villages = rows.county()
    rows.warning("w1", ALERT)
    no = rows.message("w1")
    for village in villages:
        rows.target(no, village, has_terminal=0)
    found = views.coverage(conn, warning_id="w1", jurisdiction=(), now=START, limit=2, parent="990101002")
    assert found is not None
    assert [(each.code, each.villages_targeted) for each in found.regions] == [(code, 1) for code in villages[3:]]
    assert [each.code for each in found.unconfirmed] == villages[3:5]
    rest = views.coverage(
        conn, warning_id="w1", jurisdiction=(), now=START, limit=2, parent="990101002", cursor=found.cursor
    )
    assert rest is not None
    assert [each.code for each in rest.unconfirmed] == villages[5:]
    assert rest.cursor is None
    with pytest.raises(UnknownRegion):
        views.coverage(conn, warning_id="w1", jurisdiction=(), now=START, limit=2, parent="123")


@pytest.mark.parametrize(
    ("jurisdiction", "codes"),
    [
        ((), [COUNTY]),
        (("990101",), ["990101001000", "990101002000"]),
        (("990101002", "990101001"), ["990101001000", "990101002000"]),
        (("990101001", "99010100200"), ["990101001001", "990101001002", "990101001003"]),
        (("4401",), [COUNTY]),
    ],
)
def test_regions_start_at_the_jurisdiction(
    conn: Connection, rows: Rows, jurisdiction: tuple[str, ...], codes: list[str]
) -> None:
    rows.county()
    rows.warning("w1", ALERT, state="held")
    found = views.coverage(conn, warning_id="w1", jurisdiction=jurisdiction, now=START, limit=1)
    assert found is not None
    assert [each.code for each in found.regions] == codes
    assert (found.unconfirmed, found.confirmed_at) == ([], ConfirmedAt())


def test_the_pace_is_whole_seconds_from_release_and_null_until_reached(conn: Connection, rows: Rows) -> None:
    villages = rows.county(townships=1, villages=10)
    rows.warning("w1", ALERT)
    no = rows.message("w1")
    for number, village in enumerate(villages[:9], start=1):
        rows.target(no, village, confirmed_at=RELEASED + number * 1000 - 1)
    last = rows.target(no, villages[9])
    rows.tally(no, "", targeted=10, confirmed=9)

    def pace() -> ConfirmedAt:
        found = views.coverage(conn, warning_id="w1", jurisdiction=(), now=START, limit=1)
        assert found is not None
        return found.confirmed_at

    assert pace() == ConfirmedAt(p50=5, p90=9, p100=None)
    conn.execute(schema.target.update().where(schema.target.c.no == last).values(confirmed_at=RELEASED + 61_001))
    conn.execute(schema.village_tally.update().values(confirmed=10))
    assert pace() == ConfirmedAt(p50=5, p90=9, p100=62)
    conn.execute(schema.message.update().values(stage="targets"))
    assert pace() == ConfirmedAt()


def test_explain_puts_tries_and_proof_side_by_side(conn: Connection, rows: Rows) -> None:
    village = rows.county()[0]
    rows.warning("w1", ALERT)
    no = rows.message("w1")
    seats = (("information_officer", village),)
    reached = {"phone": "+8613812345621", "email": "officer@county.example", "apprise": "wecombot://key"}
    person = rows.recipient("p1", village, seats=seats, **reached)
    delivery = rows.delivery(no, person, village, evidence=2)
    rows.attempt(rows.leg(no, delivery=delivery))
    rows.insert(
        schema.receipt,
        channel="sms",
        kind="report",
        key="k1",
        delivery_no=delivery,
        evidence=2,
        failed=0,
        part=1,
        parts=2,
        received_at=RELEASED + 3_000,
        raw="+8613812345621",
    )
    found = views.explain(conn, warning_id="w1", recipient_id="p1", now=START)
    assert found is not None
    assert found.recipient is not None
    assert (found.recipient.phone_masked, found.recipient.email_masked) == ("+86138*****21", "o*****@county.example")
    assert found.recipient.apprise_masked == "wecombot://*****"
    assert found.recipient.seats == [f"information_officer@{village}"]
    assert [each.state for each in found.deliveries[0].legs[0].attempts] == ["accepted"]
    assert [(each.evidence, each.part, each.parts) for each in found.receipts] == [("delivered", 1, 2)]
    assert "13812345621" not in repr(found)


def test_explain_of_a_loudspeaker_shows_the_topics_it_reads_and_its_own_word(conn: Connection, rows: Rows) -> None:
    villages = rows.county()
    rows.warning("w1", ALERT)
    no = rows.message("w1")
    rows.terminal("t1", villages[0])
    for target in (COUNTY, villages[0], villages[1]):
        publication = rows.insert(schema.publication, message_no=no, channel="mqtt", target=target)
        rows.leg(no, publication=publication, channel="mqtt", address=f"region:{target}")
    rows.said("t1", "w1", "played", n=1, at=RELEASED + 9_000, pass_done=1)
    found = views.explain(conn, warning_id="w1", recipient_id="t1", now=START)
    assert found is not None
    assert [each.target for each in found.publications] == [COUNTY, villages[0]]
    assert found.publications[0].legs[0].address_masked == f"region:{COUNTY}"
    assert [(each.stage, each.pass_done) for each in found.playbacks] == [("played", 1)]


def test_explain_says_who_is_unknown_and_who_was_not_meant(conn: Connection, rows: Rows) -> None:
    village = rows.county()[0]
    rows.warning("w1", ALERT)
    rows.message("w1")
    rows.recipient("p1", village)
    stranger = views.explain(conn, warning_id="w1", recipient_id="nobody", now=START)
    bystander = views.explain(conn, warning_id="w1", recipient_id="p1", now=START)
    assert stranger is not None
    assert bystander is not None
    assert (stranger.recipient, stranger.deliveries) == (None, [])
    assert bystander.recipient is not None
    assert bystander.deliveries == []
    assert views.explain(conn, warning_id="other", recipient_id="p1", now=START) is None


def test_the_record_goes_on_after_any_number(conn: Connection, rows: Rows) -> None:
    first = rows.happened("w1", "warning.received", seq=1, data={"state": "held"})
    rows.happened("w2", "warning.received", seq=2)
    rows.happened("w1", "warning.moved", seq=3)
    assert [each.kind for each in views.events(conn, warning_id="w1", after=0, limit=9)] == [
        "warning.received",
        "warning.moved",
    ]
    assert [each.kind for each in views.events(conn, warning_id="w1", after=first, limit=9)] == ["warning.moved"]
    assert views.events(conn, warning_id="w1", after=0, limit=1)[0].data == {"state": "held"}


def test_every_level_has_its_word(conn: Connection, rows: Rows) -> None:
    for level in Level:
        rows.warning(level.word, ALERT, level=level)
        found = views.warning(conn, warning_id=level.word)
        assert found is not None
        assert found.level == level.word
