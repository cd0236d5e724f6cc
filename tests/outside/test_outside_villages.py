"""When a village counts as confirmed, and the reason while it does not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.outside import county
from tests.outside.broker import Broker, needs_mosquitto
from tests.outside.cap import alert, cancel_of, moment
from tests.outside.county import Village
from tests.outside.house import Api, House, until
from tests.outside.radio import loudspeaker
from tests.outside.test_outside_sms import digit_of
from tests.outside.wire import Payload, moment_of

pytestmark = needs_mosquitto

REASONS = {"no_terminal", "no_officer", "offline", "not_played", "amplifier", "officer_silent", "refused", "pending"}


def confirmed(api: Api, message_id: str) -> bool:
    totals = api.warning(message_id)["totals"]["villages"]
    return bool(totals["confirmed"] + totals["confirmed_late"] == totals["targeted"] > 0)


def answer(house: House, village: Village, message_id: str) -> None:
    house.answer(village.officer_phone, digit_of(house.text(village.officer_phone, message_id)["text"]))


@pytest.mark.parametrize("level", ["red", "orange"])
def test_urgent_villages_need_the_playback_and_the_officer(
    api: Api, house: House, broker: Broker, *, village: Village, other: Village, level: str
) -> None:
    with (
        loudspeaker(broker, village.terminal, [village.code]) as speaker,
        loudspeaker(broker, other.terminal, [other.code]) as second,
    ):
        made = api.release(alert([village.code, other.code], level=level))
        speaker.play(speaker.until_command("play", made["id"]))
        speaker.until_ack(3)
        answer(house, other, made["id"])
        api.until_evidence(made["id"], other.officer, "acknowledged")
        assert api.warning(made["id"])["totals"]["villages"]["confirmed"] == 0
        answer(house, village, made["id"])
        until(lambda: api.warning(made["id"])["totals"]["villages"]["confirmed"] == 1, "the first is confirmed")
        second.play(second.until_command("play", made["id"]))
        until(lambda: confirmed(api, made["id"]), "both are confirmed")
    seen = api.coverage(made["id"])
    assert seen["unconfirmed"] == []
    assert all(isinstance(seen["confirmed_at"][name], int) for name in ("p50", "p90", "p100"))


@pytest.mark.parametrize("level", ["yellow", "blue"])
def test_calmer_villages_need_either(
    api: Api, house: House, broker: Broker, *, village: Village, other: Village, level: str
) -> None:
    with loudspeaker(broker, village.terminal, [village.code]) as speaker:
        made = api.release(alert([village.code, other.code], level=level))
        speaker.play(speaker.until_command("play", made["id"]))
        answer(house, other, made["id"])
        until(lambda: confirmed(api, made["id"]), "both are confirmed")


def test_coverage_has_the_documents_keys(api: Api, village: Village) -> None:
    made = api.release(alert([village.code]))
    api.until_planned(made["id"])
    seen = api.coverage(made["id"])
    assert set(seen) >= {"warning", "at", "regions", "unconfirmed", "confirmed_at", "cursor"}
    assert seen["warning"] == made["id"]
    assert abs((moment_of(seen["at"]) - moment()).total_seconds()) < 10
    township = next(row for row in seen["regions"] if row["code"] == county.TOWNSHIP)
    assert set(township) >= {"code", "name", "tier", "villages_targeted", "villages_confirmed"}
    assert (township["tier"], township["villages_targeted"], township["villages_confirmed"]) == ("township", 1, 0)
    (row,) = seen["unconfirmed"]
    assert set(row) >= {"code", "name", "reason", "since", "next_step", "next_at"}
    assert row["code"] == village.code
    assert row["reason"] in REASONS
    assert seen["confirmed_at"] == {"p50": None, "p90": None, "p100": None}


def test_unconfirmed_is_paged_in_order_over_the_whole_warning(api: Api, village: Village, other: Village) -> None:
    codes = sorted([village.code, other.code, county.LEADERS_VILLAGE])
    made = api.release(alert(codes, level="blue"))
    api.until_planned(made["id"])
    seen: list[str] = []
    cursor: str | None = None
    for _ in codes:
        page = api.coverage(made["id"], limit=1, **({} if cursor is None else {"cursor": cursor}))
        seen += [row["code"] for row in page["unconfirmed"]]
        cursor = page["cursor"]
    assert (seen, cursor) == (codes, None)
    below = api.coverage(made["id"], parent=county.LEADERS_TOWNSHIP)
    assert [row["code"] for row in below["unconfirmed"]] == [county.LEADERS_VILLAGE]
    assert [row["code"] for row in below["regions"]] == [county.LEADERS_VILLAGE]


@pytest.mark.parametrize(
    ("said", "reason"),
    [("bad_signature", "refused"), ("not_for_me", "refused"), ("amplifier", "amplifier")],
)
def test_a_terminals_own_reason_stands_in_the_detail(
    api: Api, broker: Broker, village: Village, said: str, reason: str
) -> None:
    with loudspeaker(broker, village.terminal, [village.code]) as speaker:
        made = api.release(alert([village.code]))
        play = speaker.until_command("play", made["id"])
        speaker.report(play, "failed", reason=said)
        assert api.until_reason(made["id"], village.code, reason)["detail"] == said


def test_an_amplifier_at_fault_is_the_reason_though_it_played(
    api: Api, house: House, broker: Broker, village: Village
) -> None:
    with loudspeaker(broker, village.terminal, [village.code]) as speaker:
        made = api.release(alert([village.code]))
        play = speaker.until_command("play", made["id"])
        speaker.report(play, "received")
        speaker.report(play, "played", amplifier="fault")
        answer(house, village, made["id"])
        api.until_reason(made["id"], village.code, "amplifier")


def test_a_bare_urgent_village_stays_without_terminal(api: Api, house: House, bare: Village) -> None:
    made = api.release(alert([bare.code]))
    answer(house, bare, made["id"])
    api.until_evidence(made["id"], bare.officer, "acknowledged")
    api.until_reason(made["id"], bare.code, "no_terminal")


def test_a_bare_calm_village_needs_its_officer_only(api: Api, house: House, bare: Village) -> None:
    made = api.release(alert([bare.code], level="yellow"))
    answer(house, bare, made["id"])
    until(lambda: confirmed(api, made["id"]), "the officer's answer confirms")


def test_nobody_in_the_seat_is_the_reason_after_the_playback(api: Api, broker: Broker, lonely: Village) -> None:
    with loudspeaker(broker, lonely.terminal, [lonely.code]) as speaker:
        made = api.release(alert([lonely.code]))
        speaker.play(speaker.until_command("play", made["id"]))
        api.until_reason(made["id"], lonely.code, "no_officer")


def test_a_holder_without_an_address_is_nobody(api: Api, broker: Broker, unreachable: Village) -> None:
    with loudspeaker(broker, unreachable.terminal, [unreachable.code]) as speaker:
        made = api.release(alert([unreachable.code]))
        speaker.play(speaker.until_command("play", made["id"]))
        api.until_reason(made["id"], unreachable.code, "no_officer")


def test_a_polygon_targets_the_villages_whose_points_lie_in_it(api: Api, village: Village, other: Village) -> None:
    made = api.release(alert([], geocodes=(), polygons=(village.square,)))
    totals = api.until_planned(made["id"])["totals"]
    assert totals["villages"]["targeted"] == 1
    assert [row["code"] for row in api.coverage(made["id"])["unconfirmed"]] == [village.code]
    assert api.deliveries(made["id"], recipient=other.officer) == []


def test_a_circle_targets_the_villages_inside(api: Api, village: Village) -> None:
    lat, lon = village.point
    made = api.release(alert([], geocodes=(), circles=(f"{lat},{lon} 0.4",)))
    api.until_planned(made["id"])
    assert [row["code"] for row in api.coverage(made["id"])["unconfirmed"]] == [village.code]


def test_short_codes_target_everything_below(api: Api) -> None:
    made = api.release(alert(["770101102"], level="blue"))
    assert api.until_planned(made["id"])["totals"]["villages"]["targeted"] == 1


def test_a_confirmed_village_stays_confirmed_after_the_cancel(
    api: Api, house: House, broker: Broker, village: Village
) -> None:
    document = alert([village.code], level="yellow")
    with loudspeaker(broker, village.terminal, [village.code]) as speaker:
        made = api.release(document)
        speaker.play(speaker.until_command("play", made["id"]))
        until(lambda: confirmed(api, made["id"]), "confirmed")
        taken_back = api.release(cancel_of(document))
        speaker.until_command("stop", taken_back["id"])
        assert confirmed(api, made["id"])
        house.text(village.officer_phone, taken_back["id"])


def imported(house: House, folder: Path, regions: list[str], people: list[str]) -> None:
    for what, head, rows in (("regions", county.REGIONS_HEAD, regions), ("recipients", county.RECIPIENTS_HEAD, people)):
        told = house.warnd("import", what, county.write(folder, f"{what}.csv", "\n".join([head, *rows, ""])))
        assert told.returncode == 0, told.stdout + told.stderr


@pytest.fixture(scope="module")
def special(house: House, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Village]:
    """Villages 601 (officer, no terminal), 602 (terminal, no officer), 603 (terminal, officer without an address)."""
    bare, lonely, unreachable = (Village(number) for number in (601, 602, 603))
    regions = [
        f"{v.code},特{v.number}村,village,{county.TOWNSHIP},{v.point[0]},{v.point[1]},9"
        for v in (bare, lonely, unreachable)
    ]
    people = [
        county.person(bare.officer, bare.code, "information_officer", bare.officer_phone),
        county.terminal(lonely.terminal, lonely.code),
        county.terminal(unreachable.terminal, unreachable.code),
        county.person(unreachable.officer, unreachable.code, "information_officer", ""),
    ]
    imported(house, tmp_path_factory.mktemp("special"), regions, people)
    return Village


@pytest.fixture
def bare(special: Callable[[int], Village]) -> Village:
    return special(601)


@pytest.fixture
def lonely(special: Callable[[int], Village]) -> Village:
    return special(602)


@pytest.fixture
def unreachable(special: Callable[[int], Village]) -> Village:
    return special(603)


def test_two_phases_of_pending_end_within_a_minute(api: Api, early: Payload) -> None:
    """The warning was released when the tests began; only what is left of its minute is waited for."""
    for village, reason in early["expected"].items():

        def look(village: str = village, reason: str = reason) -> bool:
            rows = {row["code"]: row["reason"] for row in api.coverage(early["id"])["unconfirmed"]}
            return rows.get(village) == reason

        until(look, f"{village} {reason}", timeout_s=75)
