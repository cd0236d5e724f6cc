from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from tests.fakes.register import COUNTY, KEY, PEOPLE, Register, opened
from warnd.ledger import directory
from warnd.ledger.directory import Box

EVERYWHERE = Box(south=-90, west=-180, north=90, east=180)


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Register]:
    with opened(tmp_path) as made:
        made.regions()
        made.recipients()
        yield made


def test_an_empty_directory_is_revision_0(tmp_path: Path) -> None:
    with opened(tmp_path) as empty, empty.reading() as conn:
        assert directory.revision(conn) == 0
        assert directory.children(conn, parent=None) == []


def test_regions_are_found_by_stored_code(register: Register) -> None:
    with register.reading() as conn:
        found = directory.find_regions(conn, codes=["990101001000", "990101001", "nowhere"])
    assert list(found) == ["990101001000"]
    town = found["990101001000"]
    assert (town.name, town.tier, town.parent, town.path) == (
        "东镇",
        "township",
        "990101000000",
        "/990101000000/990101001000/",
    )
    assert (town.lat, town.lon) == (30.1, 120.1)


def test_names_in_other_languages_are_read_by_language(register: Register) -> None:
    register.regions("code,name,tier,name_en,name_zh-hant\n990101,清河县,county,Qinghe,清河縣\n")
    with register.reading() as conn:
        assert directory.find_regions(conn, codes=["990101000000"])["990101000000"].names == {
            "en": "Qinghe",
            "zh-hant": "清河縣",
        }


def test_children_default_to_those_of_the_jurisdiction(register: Register) -> None:
    with register.reading() as conn:
        below = directory.children(conn, parent="990101001000")
        by_default = directory.children(conn, parent=None, jurisdiction=["990101"])
        outermost = directory.children(conn, parent=None)
    assert [each.code for each in below] == ["990101001001", "990101001002"]
    assert [each.code for each in by_default] == ["990101001000", "990101002000"]
    assert [each.code for each in outermost] == ["990101000000"]


def _meant(conn: Connection, scheme: str, value: str) -> str | None:
    return directory.resolve_geocodes(conn, geocodes=[(scheme, value)])[scheme, value]


@pytest.mark.parametrize("scheme", ["region_code", "ADCODE", "区划代码", " Region_Code "])
@pytest.mark.parametrize("value", ["990101", "990101000000", " 990101 "])
def test_national_codes_of_any_length_are_geocodes(register: Register, scheme: str, value: str) -> None:
    with register.reading() as conn:
        assert _meant(conn, scheme, value) == "990101000000"


def test_aliases_are_geocodes_of_their_scheme_only(register: Register) -> None:
    register.aliases("scheme,value,region\nSAME,006037,990101001\nadcode,old-1,990101002\n")
    with register.reading() as conn:
        assert _meant(conn, "same", "006037") == "990101001000"
        assert _meant(conn, "adcode", "old-1") == "990101002000"
        assert _meant(conn, "UGC", "006037") is None
        assert _meant(conn, "SAME", "990101") is None
        assert _meant(conn, "adcode", "110000") is None


def test_many_geocodes_are_resolved_together(register: Register) -> None:
    register.aliases("scheme,value,region\nSAME,006037,990101001\n")
    unknown = {(f"scheme-{number}", "1"): None for number in range(1500)}
    with register.reading() as conn:
        found = directory.resolve_geocodes(conn, geocodes=[("adcode", "990101"), *unknown, ("SAME", " 006037")])
    assert found == {("adcode", "990101"): "990101000000", **unknown, ("SAME", " 006037"): "990101001000"}


def test_a_jurisdiction_is_paths_where_known_and_digits_where_not(register: Register) -> None:
    with register.reading() as conn:
        assert directory.find_jurisdiction(conn, codes=()).everywhere
        known = directory.find_jurisdiction(conn, codes=["990101"])
        unknown = directory.find_jurisdiction(conn, codes=["99", "ELSEWHERE"])
    assert known.paths == ("/990101000000/",)
    assert (unknown.paths, unknown.prefixes, unknown.everywhere) == ((), ("99",), False)
    assert unknown.covers("/990101000000/")


def test_candidates_are_villages_whose_box_meets_the_box(register: Register) -> None:
    with register.reading() as conn:
        everywhere = [path for page in directory.candidates(conn, box=EVERYWHERE) for path in page.paths]
        near = list(directory.candidates(conn, box=Box(south=30.1, west=120.0, north=30.115, east=120.2)))
    assert len(everywhere) == 3
    assert [page.paths for page in near] == [("/990101000000/990101001000/990101001001/",)]
    assert (near[0].south, near[0].west, near[0].north, near[0].east) == ((30.11,), (120.11,), (30.11,), (120.11,))


def test_villages_under_a_region_come_in_order_of_path(register: Register) -> None:
    with register.reading() as conn:
        assert directory.villages_under(conn, path="/990101000000/") == [
            "990101001001",
            "990101001002",
            "990101002001",
        ]
        assert directory.villages_under(conn, path="/990101000000/990101002000/990101002001/") == ["990101002001"]


def test_recipient_points_are_those_of_one_revision(register: Register) -> None:
    with register.reading() as conn:
        before = directory.revision(conn)
    register.recipients(PEOPLE.replace("30.111,120.111", "30.5,120.5"))
    box = Box(south=30.4, west=120.4, north=30.6, east=120.6)
    with register.reading() as conn:
        now = [page.lats for page in directory.recipient_points(conn, box=box, rev=directory.revision(conn))]
        then = [page.lats for page in directory.recipient_points(conn, box=EVERYWHERE, rev=before)]
    assert (now, then) == ([(30.5,)], [(30.111,)])


def test_a_terminal_key_is_32_raw_bytes(register: Register) -> None:
    with register.reading() as conn:
        assert directory.terminal_key(conn, terminal_id="T-1") == bytes(32)
        assert directory.terminal_key(conn, terminal_id="T-2") is None
        assert directory.terminal_key(conn, terminal_id="li") is None
    assert len(KEY) == 43


def test_a_recipient_is_read_with_its_seats(register: Register) -> None:
    with register.reading() as conn:
        li = directory.recipient(conn, recipient_id="li")
        assert directory.recipient(conn, recipient_id="nobody") is None
    assert li is not None
    assert (li.phone, li.email, li.lang, li.region) == ("+8613800138000", "li@example.org", "zh", "990101001001")
    assert li.seats == (("deputy_officer", "990101001002"), ("information_officer", "990101001001"))


def test_what_an_import_under_way_has_written_is_seen_by_nobody(register: Register) -> None:
    with register.reading() as conn:
        rev = directory.revision(conn) + 1
    register.execute("UPDATE recipient_version SET to_rev = :rev", rev=rev)
    register.execute("UPDATE region SET from_rev = :rev WHERE code = '990101002001'", rev=rev)
    with register.reading() as conn:
        assert directory.recipient(conn, recipient_id="li") is not None
        assert directory.find_regions(conn, codes=["990101002001"]) == {}
        assert _meant(conn, "region_code", "990101002001") is None
        assert directory.villages_under(conn, path="/990101000000/") == ["990101001001", "990101001002"]
        assert sum(len(page.paths) for page in directory.candidates(conn, box=EVERYWHERE)) == 2


def test_villages_beyond_one_page_are_all_candidates(tmp_path: Path) -> None:
    lines = [f"990101001{n:03d},村{n},village,,30.0{n:03d},120.0,\n" for n in range(1, 999)]
    lines += [f"990101002{n:03d},村{n},village,,30.1{n:03d},120.0,\n" for n in range(1, 999)]
    with opened(tmp_path) as register:
        register.regions(COUNTY.splitlines(keepends=True)[0] + "".join(lines))
        with register.reading() as conn:
            pages = list(directory.candidates(conn, box=EVERYWHERE))
    assert sum(len(page.paths) for page in pages) == 2 * 998
    assert len(pages) > 1
