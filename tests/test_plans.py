from pathlib import Path

import pytest

import channels
from warnd.model.evidence import Evidence
from warnd.model.level import Level
from warnd.model.plan import Plan, choose
from warnd.resources import shipped
from warnd.settings import SettingsError, load_plans

STRONGEST = {"sms": Evidence.ACKNOWLEDGED, "mqtt": Evidence.PRESENTED, "web": Evidence.ACCEPTED}

HEAD = """\
[[plan]]
name = "all"
levels = ["red", "orange", "yellow", "blue"]
statuses = ["Actual"]
cancel_tries = 1
cancel_wait_s = 60
village = { terminal = "both", bare = "officer" }
loudspeaker = { repeat = 1 }
"""
OFFICERS = """\
[[plan.audience]]
name = "officers"
kind = "seats"
roles = ["information_officer"]
where = ["village"]
channels = ["sms"]
proof = "acknowledged"
tries = 3
wait_s = 100
"""
SIREN = """\
[[plan.audience]]
name = "sirens"
kind = "terminals"
channels = ["mqtt"]
proof = "presented"
tries = 3
wait_s = 60
"""
GOOD = HEAD + OFFICERS + SIREN


def read(folder: Path, text: str) -> tuple[Plan, ...]:
    path = folder / "plans.toml"
    path.write_text(text, "utf-8")
    return load_plans(path, strongest=STRONGEST)


def refused(folder: Path, text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read(folder, text)
    return str(caught.value).replace(f"{folder}/", "").splitlines()


@pytest.fixture(scope="module")
def defaults() -> tuple[Plan, ...]:
    return load_plans(shipped("config") / "plans.toml", strongest=channels.STRONGEST)


@pytest.mark.parametrize("status", ["Actual", "Exercise", "Test"])
@pytest.mark.parametrize(
    ("level", "proof", "tries", "within_s"),
    [
        (Level.RED, Evidence.ACKNOWLEDGED, 3, 300),
        (Level.ORANGE, Evidence.ACKNOWLEDGED, 3, 600),
        (Level.YELLOW, Evidence.DELIVERED, 2, 1800),
        (Level.BLUE, Evidence.ACCEPTED, 1, None),
    ],
)
def test_shipped_plans_demand_of_the_responsible_what_the_table_says(
    defaults: tuple[Plan, ...], status: str, *, level: Level, proof: Evidence, tries: int, within_s: int | None
) -> None:
    plan = choose(defaults, hazards=("flood",), level=level, status=status)
    assert plan is not None
    seats = [each for each in plan.audiences if each.kind == "seats"]
    assert {(each.proof, each.tries, each.within_s) for each in seats} == {(proof, tries, within_s)}
    assert all(each.tries * each.wait_s <= each.within_s for each in seats if each.within_s)


@pytest.mark.parametrize(
    ("level", "terminal", "bare", "within_s", "repeat", "every_s", "hours"),
    [
        (Level.RED, "both", "officer_and_door", 300, 3, 600, None),
        (Level.ORANGE, "both", "officer_and_door", 600, 3, None, None),
        (Level.YELLOW, "either", "officer", 3600, 1, None, ("06:00", "22:00")),
        (Level.BLUE, "either", "officer", None, 1, None, ("06:00", "22:00")),
    ],
)
def test_shipped_plans_confirm_villages_and_play_as_the_table_says(
    defaults: tuple[Plan, ...],
    *,
    level: Level,
    terminal: str,
    bare: str,
    within_s: int | None,
    repeat: int,
    every_s: int | None,
    hours: tuple[str, str] | None,
) -> None:
    plan = choose(defaults, hazards=(), level=level, status="Actual")
    assert plan is not None
    assert (plan.village.terminal, plan.village.bare, plan.village.within_s) == (terminal, bare, within_s)
    assert (plan.loudspeaker.repeat, plan.loudspeaker.every_s, plan.loudspeaker.hours) == (repeat, every_s, hours)


def test_shipped_plans_put_seats_before_terminals_before_the_public(defaults: tuple[Plan, ...]) -> None:
    for plan in defaults:
        assert [each.kind for each in plan.audiences] == ["seats", "seats", "terminals", "public"]
        assert all("deputy_officer" not in each.roles for each in plan.audiences)


def test_shipped_plans_write_to_people_with_a_duty_as_well_and_at_once_when_it_is_urgent(
    defaults: tuple[Plan, ...],
) -> None:
    for plan in defaults:
        urgent = bool({Level.RED, Level.ORANGE} & set(plan.levels))
        told = {each.kind: (each.channels, each.parallel) for each in plan.audiences}
        assert told["seats"] == (("sms", "email"), urgent)
        assert told["public"] == (("sms",), False)


def test_plans_survive_their_way_through_the_ledger(defaults: tuple[Plan, ...]) -> None:
    assert tuple(Plan.from_dict(plan.to_dict()) for plan in defaults) == defaults


def test_the_smallest_plan_takes_its_defaults(tmp_path: Path) -> None:
    (plan,) = read(tmp_path, GOOD)
    assert plan.hazards == ("*",)
    assert plan.village.within_s is None
    assert (plan.loudspeaker.every_s, plan.loudspeaker.hours) == (None, None)
    assert not plan.audiences[0].parallel


def test_the_public_may_be_asked_for_more_than_accepted(tmp_path: Path) -> None:
    public = SIREN.replace("terminals", "public").replace("mqtt", "sms").replace("presented", "delivered")
    (plan,) = read(tmp_path, HEAD + public)
    assert plan.audiences[0].proof is Evidence.DELIVERED


def test_a_role_may_be_new_but_not_misshapen(tmp_path: Path) -> None:
    (plan,) = read(tmp_path, GOOD.replace("information_officer", "lock_keeper"))
    assert plan.audiences[0].roles == ("lock_keeper",)
    (told,) = refused(tmp_path, GOOD.replace("information_officer", "Lock Keeper"))
    assert told.startswith('plans.toml:12: plan[1].audience[1].roles[1]: Found "Lock Keeper"; it should be a role.')


MISTAKES = [
    (
        '["sms"]',
        '["smss"]',
        'plans.toml:14: plan[1].audience[1].channels: There is no channel "smss". Known here: mqtt, sms, web.',
    ),
    ('["sms"]', "[]", 'plans.toml:14: plan[1].audience[1].channels: "officers" reaches nobody without a channel.'),
    (
        '["sms"]',
        '["web"]',
        "plans.toml:15: plan[1].audience[1].proof: No channel listed here can ever prove acknowledged; the",
    ),
    (
        '"presented"',
        '"acknowledged"',
        "plans.toml:22: plan[1].audience[2].proof: No channel listed here can ever prove ack",
    ),
    (
        '"presented"',
        '"heard"',
        'plans.toml:22: plan[1].audience[2].proof: Found "heard"; it should be a proof. Write one of',
    ),
    ('"presented"', '"none"', 'plans.toml:22: plan[1].audience[2].proof: Found "none"; it should be a proof.'),
    (
        "tries = 3\nwait_s = 100",
        "tries = 0\nwait_s = 100",
        "plans.toml:16: plan[1].audience[1].tries: Found 0; it should be",
    ),
    (
        "wait_s = 100",
        "wait_s = 0",
        "plans.toml:17: plan[1].audience[1].wait_s: Found 0; it should be greater than or equal to 1.",
    ),
    ("wait_s = 100\n", "", "plans.toml:9: plan[1].audience[1].wait_s: It is missing."),
    ("wait_s = 100", "wait = 100", "plans.toml:17: plan[1].audience[1].wait: There is no such key"),
    (
        "repeat = 1",
        'repeat = 1, hours = "6-22"',
        'plans.toml:8: plan[1].loudspeaker.hours: Found "6-22"; it should be two diff',
    ),
    ("repeat = 1", 'repeat = 1, hours = "06:00-06:00"', "plans.toml:8: plan[1].loudspeaker.hours: Found"),
    (
        "repeat = 1",
        "repeat = 1, volume = 101",
        "plans.toml:8: plan[1].loudspeaker.volume: Found 101; it should be less than",
    ),
    ('"both"', '"all"', "plans.toml:7: plan[1].village.terminal: Found \"all\"; it should be 'both' or 'either'."),
    ('"blue"]', '"green"]', 'plans.toml:3: plan[1].levels[4]: Found "green"; it should be a level.'),
    (', "blue"]', "]", "plans.toml:1: plan: No plan is for level blue, status Actual and any hazard. Add a plan with"),
    (
        '["Actual"]',
        '["Draft"]',
        "plans.toml:4: plan[1].statuses[1]: Found \"Draft\"; it should be 'Actual', 'Exercise' or 'Test'.",
    ),
    (
        'roles = ["information_officer"]\n',
        "",
        'plans.toml:9: plan[1].audience[1].roles: "officers" is for seats, but reaches',
    ),
    (
        'where = ["village"]\n',
        "",
        'plans.toml:9: plan[1].audience[1].where: "officers" is for seats, but reaches nobody',
    ),
    (
        '["mqtt"]',
        '["mqtt"]\nroles = ["media"]',
        'plans.toml:22: plan[1].audience[2].roles: "sirens" is for terminals; roles',
    ),
]


@pytest.mark.parametrize(("good", "bad", "problem"), MISTAKES)
def test_a_mistake_is_told_with_line_cause_and_fix(tmp_path: Path, good: str, bad: str, problem: str) -> None:
    assert GOOD.count(good) == 1
    told = refused(tmp_path, GOOD.replace(good, bad))
    assert any(each.startswith(problem) for each in told), told


def test_two_plans_for_the_same_case_are_refused_once(tmp_path: Path) -> None:
    second = GOOD.replace('"all"', '"other"').replace('"orange", "yellow", ', "")
    (told,) = refused(tmp_path, GOOD + second)
    assert told.startswith(
        'plans.toml:25: plan[2]: Hazard "*", level red, status Actual is governed by plan "all" already.'
    )


def test_a_plan_for_one_hazard_beside_the_general_one_is_no_overlap(tmp_path: Path) -> None:
    flood = GOOD.replace('"all"', '"flood"\nhazards = ["flood", "Flood"]')
    plans = read(tmp_path, GOOD + flood)
    chosen = choose(plans, hazards=("Flood",), level=Level.RED, status="Actual")
    assert chosen is not None
    assert chosen.name == "flood"


def test_a_plan_for_one_hazard_does_not_cover_the_others(tmp_path: Path) -> None:
    told = refused(tmp_path, GOOD.replace('"all"', '"flood"\nhazards = ["flood"]'))
    assert len(told) == len(Level)


def test_drills_of_one_level_need_plans_for_all(tmp_path: Path) -> None:
    drill = GOOD.replace('"all"', '"drill"').replace("Actual", "Exercise").replace(', "blue"]', "]")
    (told,) = refused(tmp_path, GOOD + drill)
    assert "No plan is for level blue, status Exercise" in told


def test_an_audience_for_which_nobody_is_left_is_refused(tmp_path: Path) -> None:
    (told,) = refused(tmp_path, GOOD + OFFICERS.replace('"officers"', '"again"'))
    assert told.startswith(
        'plans.toml:25: plan[1].audience[3]: "again" never gets anybody: "officers" before it takes them all.'
    )


def test_two_plans_of_one_name_are_refused(tmp_path: Path) -> None:
    (told,) = refused(tmp_path, GOOD + GOOD.replace('"Actual"', '"Test"'))
    assert told.startswith('plans.toml:26: plan[2].name: Another plan is named "all", too.')


def test_a_file_without_plans_is_refused(tmp_path: Path) -> None:
    (told,) = refused(tmp_path, "# nothing\n")
    assert told == "plans.toml: plan: It is missing. Write plans as tables [[plan]]."
