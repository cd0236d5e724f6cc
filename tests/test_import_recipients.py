import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.register import KEY, PEOPLE, Register, causes, opened
from warnd.intake.importing.problem import Problems
from warnd.intake.importing.recipients import read_recipient
from warnd.intake.importing.row import Row
from warnd.ledger import directory

HEAD = "id,kind,name,region,roles,lang,phone,email,lat,lon,public_key\n"
HOME = "990101001001"


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Register]:
    with opened(tmp_path) as made:
        made.regions()
        yield made


def one(register: Register, recipient_id: str) -> directory.RecipientRow:
    with register.reading() as conn:
        found = directory.recipient(conn, recipient_id=recipient_id)
    assert found is not None
    return found


def test_recipients_come_in_with_their_seats(register: Register) -> None:
    summary = register.recipients()
    assert (summary.rows, summary.new, summary.revision, causes(summary)) == (4, 4, 2, [])
    assert one(register, "wang").seats == (("township_leader", "990101001000"),)


def test_numbers_follow_the_tree_so_that_a_village_lies_together(register: Register) -> None:
    lines = [f"r{n},household,户,{code},,,,,,,\n" for n in range(4) for code in ("990101002001", "990101001", HOME)]
    register.recipients(HEAD + "".join(f"{n}{line}" for n, line in enumerate(lines)))
    placed = [row[6] for row in sorted(register.tables()["recipient_version"])]
    assert placed == ["990101001000"] * 4 + [HOME] * 4 + ["990101002001"] * 4


def test_a_reimport_of_the_same_file_changes_nothing(register: Register) -> None:
    register.recipients()
    before = register.tables()
    summary = register.recipients("\n".join([PEOPLE.splitlines()[0], *reversed(PEOPLE.splitlines()[1:])]))
    assert (summary.changes, summary.unchanged, summary.revision) == (0, 4, 2)
    assert register.tables() == before


def test_a_change_closes_one_version_and_begins_another(register: Register) -> None:
    register.recipients()
    summary = register.recipients(PEOPLE.replace("+8613900139000", "+8613900139999"))
    assert (summary.changed, summary.unchanged, summary.revision) == (1, 3, 3)
    assert one(register, "wang").phone == "+8613900139999"
    versions = [row for row in register.tables()["recipient_version"] if row[1] == one(register, "wang").no]
    assert sorted((row[2], row[3]) for row in versions) == [(2, 3), (3, None)]


def test_a_change_of_a_seat_alone_is_a_change(register: Register) -> None:
    register.recipients()
    summary = register.recipients(PEOPLE.replace("information_officer;", ""))
    assert (summary.changed, one(register, "li").seats) == (1, (("deputy_officer", "990101001002"),))


def test_who_is_absent_stays_unless_pruned_and_may_come_back(register: Register) -> None:
    register.recipients()
    number = one(register, "wang").no
    without = "".join(line for line in PEOPLE.splitlines(keepends=True) if not line.startswith("wang"))
    assert register.recipients(without).removed == 0
    assert register.recipients(without, prune=True).removed == 1
    with register.reading() as conn:
        assert directory.recipient(conn, recipient_id="wang") is None
    assert register.recipients(without, prune=True).changes == 0
    assert register.recipients().new == 1
    assert one(register, "wang").no == number


@pytest.mark.parametrize("prune", [False, True])
def test_a_dry_run_counts_like_the_import_and_changes_nothing(register: Register, *, prune: bool) -> None:
    register.recipients()
    before = register.tables()
    text = HEAD + f"li,person,李明,{HOME},,,,,,,\nneu,person,新,{HOME},,,,,,,\n"
    rehearsed = register.recipients(text, dry_run=True, prune=prune)
    assert register.tables() == before
    done = register.recipients(text, prune=prune)
    assert (done.new, done.changed, done.removed) == (1, 1, 3 if prune else 0)
    assert (rehearsed.new, rehearsed.changed, rehearsed.removed) == (done.new, done.changed, done.removed)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("13800138000", "+8613800138000"),
        ("138 0013 8000", "+8613800138000"),
        ("+8613800138000", "+8613800138000"),
        ("+1 (202) 555-0123", "+12025550123"),
        ("110", "110"),
        ("87654321", "87654321"),
        ("", None),
    ],
)
def test_phone_numbers_are_written_in_one_way(register: Register, written: str, stored: str | None) -> None:
    summary = register.recipients(HEAD + f"x,person,X,{HOME},,,{written},,,,\n")
    assert causes(summary) == []
    assert one(register, "x").phone == stored


def test_who_names_no_language_gets_the_nodes_first(register: Register) -> None:
    register.recipients(HEAD + f"a,person,A,{HOME},,,,,,,\nb,person,B,{HOME},,en-GB,,,,,\n")
    assert (one(register, "a").lang, one(register, "b").lang) == ("zh", "en-GB")


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (f",person,X,{HOME},,,,,,,", "id: is empty"),
        (f"a b,person,X,{HOME},,,,,,,", "id: 'a b' is no id"),
        (f"{'x' * 65},person,X,{HOME},,,,,,,", f"id: '{'x' * 65}' is no id"),
        (f"t/1,terminal,X,{HOME},,,,,,,{KEY}", "id: 't/1' cannot be a terminal's MQTT id"),
        (f"t+,terminal,X,{HOME},,,,,,,{KEY}", "id: 't+' cannot be a terminal's MQTT id"),
        (f"t#,terminal,X,{HOME},,,,,,,{KEY}", "id: 't#' cannot be a terminal's MQTT id"),
        (f"x,robot,X,{HOME},,,,,,,", "kind: 'robot' is no kind of recipient"),
        (f"x,person,,{HOME},,,,,,,", "name: is empty"),
        ("x,person,X,,,,,,,,", "region: is empty"),
        ("x,person,X,99010,,,,,,,", "region: region 99010 is not in the directory"),
        (f"x,person,X,{HOME},Chief,,,,,,", "roles: 'Chief' is no role"),
        (f"x,person,X,{HOME},media@,,,,,,", "roles: '' is no region code"),
        (f"x,person,X,{HOME},media@88,,,,,,", "roles: region 880000000000 is not in the directory"),
        (f"x,person,X,{HOME},,中文,,,,,", "lang: '中文' is no language"),
        (f"x,person,X,{HOME},,,1.38E+10,,,,", "phone: '1.38E+10' is no phone number"),
        (f"x,person,X,{HOME},,,12,,,,", "phone: '12' is no phone number"),
        (f"x,person,X,{HOME},,,12800138000,,,,", "phone: '12800138000' is no phone number"),
        (f"x,person,X,{HOME},,,008613800138000,,,,", "phone: '008613800138000' is no phone number"),
        (f"x,person,X,{HOME},,,+0123456789,,,,", "phone: '+0123456789' is no phone number"),
        (f"x,person,X,{HOME},,,,li.example.org,,,", "email: 'li.example.org' is no e-mail address"),
        (f'x,person,X,{HOME},,,,"a@b.org,c@d.org",,,', "email: 'a@b.org,c@d.org' is no e-mail address"),
        (f"x,person,X,{HOME},,,,,120.1,30.1,", "lat: 120.1 is no latitude, lat and lon look swapped"),
        (f"x,person,X,{HOME},,,,,,,{KEY}", "public_key: only a terminal has one"),
        (f"t,terminal,X,{HOME},,,,,,,", "public_key: is empty: no receipt of this terminal could be believed"),
        (f"t,terminal,X,{HOME},,,,,,,AAAA", "public_key: 'AAAA' is no key of 32 bytes"),
        (f"t,terminal,X,{HOME},,,,,,,{KEY}=", f"public_key: '{KEY}=' is no key of 32 bytes"),
        (f"t,terminal,X,{HOME},,,,,,,{'A' * 42}B", f"public_key: '{'A' * 42}B' is no key of 32 bytes"),
        (f"t,terminal,X,{HOME},,,,,,,{'+' * 43}", f"public_key: '{'+' * 43}' is no key of 32 bytes"),
    ],
)
def test_a_bad_row_is_told_by_line_and_cause_and_nothing_is_imported(register: Register, line: str, cause: str) -> None:
    register.recipients()
    before = register.tables()
    summary = register.recipients(f"{HEAD}ok,person,好,{HOME},,,,,,,\n{line}\n")
    assert causes(summary) == [f"line 3, {cause}"]
    assert register.tables() == before


def test_an_id_may_stand_once(register: Register) -> None:
    summary = register.recipients(
        HEAD + f"a,person,A,{HOME},,,,,,,\nb,person,B,{HOME},,,,,,,\na,person,C,{HOME},,,,,,,\n"
    )
    assert causes(summary) == ["line 4, id: a stands in line 2 already"]


def test_a_chat_comes_in_and_a_change_of_it_is_a_new_version(register: Register) -> None:
    head = "id,kind,name,region,roles,apprise\n"
    summary = register.recipients(f"{head}wang,person,王,{HOME},information_officer,wecombot://0123abcd-4567\n")
    assert causes(summary) == []
    again = register.recipients(f"{head}wang,person,王,{HOME},information_officer,wecombot://0123abcd-4567\n")
    moved = register.recipients(f"{head}wang,person,王,{HOME},information_officer,wecombot://0123abcd-9999\n")
    assert (again.changes, moved.changed) == (0, 1)
    with register.reading() as conn:
        kept = conn.execute(sqlalchemy.text("SELECT apprise FROM recipient_version ORDER BY no")).scalars().all()
    assert kept == ["wecombot://0123abcd-4567", "wecombot://0123abcd-9999"]


@pytest.mark.parametrize(
    ("address", "cause"),
    [
        ("0123abcd-secret", "line 2, apprise: is no address of a chat service"),
        ("json://10.0.0.1/secret", "line 2, apprise: names json, which may not be used here"),
        ("slack://secret", "line 2, apprise: slack cannot make sense of what follows slack://"),
        ("wecombot://secret?verify=no", "line 2, apprise: has parameters that may not be set"),
    ],
)
def test_a_chat_that_may_not_be_used_is_told_without_its_secret(register: Register, address: str, cause: str) -> None:
    summary = register.recipients(f"id,kind,name,region,apprise\nwang,person,王,{HOME},{address}\n")
    assert causes(summary) == [cause]
    assert "secret" not in repr(list(summary.problems))


@given(st.binary(min_size=32, max_size=32))
def test_any_32_bytes_are_a_key(raw: bytes) -> None:
    text = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    problems = Problems()
    values = {"id": "t", "kind": "terminal", "name": "T", "region": HOME, "public_key": text}
    entry = read_recipient(Row(2, None, values), problems, language="zh")
    assert entry is not None
    assert entry.facts.public_key == text


@given(st.dictionaries(st.sampled_from(HEAD.strip().split(",")), st.text(max_size=70)))
def test_any_text_is_either_read_or_told(values: dict[str, str]) -> None:
    problems = Problems()
    entry = read_recipient(Row(7, None, values), problems, language="zh")
    assert (entry is None) == bool(problems)
    assert all(each.line == 7 and each.cause and each.fix for each in problems)


def test_aliases_come_in_change_and_go(register: Register) -> None:
    text = "scheme,value,region\nSAME,006037,990101001\nUGC,CAZ006,990101002\n"
    first, again = register.aliases(text), register.aliases(text)
    assert (first.new, again.unchanged, again.changes, again.revision) == (2, 2, 0, 2)
    changed = register.aliases("scheme,value,region\nsame,006037,990101002\n", prune=True)
    assert (changed.changed, changed.removed, changed.revision) == (1, 1, 3)
    assert register.tables()["region_alias"] == [("same", "006037", "990101002000")]


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        ("SAME,1,88", "line 2, region: region 880000000000 is not in the directory"),
        ("SAME,,990101", "line 2, value: is empty"),
        (",1,990101", "line 2, scheme: is empty"),
        ("SAME,1,990101\nsame,1,990101001", "line 3, value: same 1 stands in line 2 already"),
    ],
)
def test_a_bad_alias_is_told(register: Register, lines: str, cause: str) -> None:
    before = register.tables()
    summary = register.aliases(f"scheme,value,region\n{lines}\n")
    assert causes(summary) == [cause]
    assert register.tables() == before


def test_an_alias_dry_run_changes_nothing(register: Register) -> None:
    before = register.tables()
    assert register.aliases("scheme,value,region\nSAME,1,990101\n", dry_run=True).new == 1
    assert register.tables() == before
