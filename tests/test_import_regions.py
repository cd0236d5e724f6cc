from collections.abc import Iterator
from pathlib import Path

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.register import COUNTY, PEOPLE, Register, causes, opened
from warnd.intake.importing.problem import KEPT, Problems
from warnd.intake.importing.regions import read_region
from warnd.intake.importing.row import Row
from warnd.ledger import directory

HEAD = "code,name,tier,parent,lat,lon,population\n"


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Register]:
    with opened(tmp_path) as made:
        yield made


def paths(register: Register) -> dict[str, str]:
    return {row[0]: row[5] for row in register.tables()["region"]}


def test_regions_come_in_with_parents_found_from_their_codes(register: Register) -> None:
    summary = register.regions()
    assert (summary.rows, summary.new, summary.revision, causes(summary)) == (6, 6, 1, [])
    assert paths(register)["990101001001"] == "/990101000000/990101001000/990101001001/"


def test_columns_may_come_in_any_order_and_optional_ones_may_be_missing(register: Register) -> None:
    summary = register.regions("Tier, name ,code\ncounty,清河县,990101\n")
    assert (summary.new, causes(summary)) == (1, [])


def test_a_parent_is_the_nearest_region_that_is_there(register: Register) -> None:
    register.regions(HEAD + "99,测试省,province,,,,\n990101001001,一村,village,,,,\n")
    assert paths(register)["990101001001"] == "/990000000000/990101001001/"


def test_other_codes_nest_by_their_parent_in_any_order_of_lines(register: Register) -> None:
    register.regions(HEAD + "v,V,village,c,,,\nc,C,county,p,,,\np,P,province,,,,\n")
    assert paths(register) == {"p": "/p/", "c": "/p/c/", "v": "/p/c/v/"}


def test_a_reimport_of_the_same_file_changes_nothing(register: Register) -> None:
    register.regions()
    before = register.tables()
    summary = register.regions()
    assert (summary.changes, summary.unchanged, summary.revision) == (0, 6, 1)
    assert register.tables() == before


def test_a_reimport_changes_only_what_changed(register: Register) -> None:
    register.regions()
    before = {row[0]: row for row in register.tables()["region"]}
    summary = register.regions(COUNTY.replace("二村", "新二村"))
    after = {row[0]: row for row in register.tables()["region"]}
    assert (summary.changed, summary.new, summary.unchanged, summary.revision) == (1, 0, 5, 2)
    assert [code for code in after if after[code] != before[code]] == ["990101001002"]


def test_rows_absent_from_the_file_stay(register: Register) -> None:
    register.regions()
    summary = register.regions(HEAD + "990101003,南镇,township,,,,\n")
    assert (summary.new, summary.removed) == (1, 0)
    assert len(paths(register)) == 7


def test_descendants_follow_when_a_parent_moves(register: Register) -> None:
    register.regions(HEAD + "a,A,city,,,,\nb,B,city,,,,\nc,C,county,a,,,\nt,T,township,c,,,\nv,V,village,t,,,\n")
    summary = register.regions(HEAD + "c,C,county,b,,,\n")
    assert paths(register) == {"a": "/a/", "b": "/b/", "c": "/b/c/", "t": "/b/c/t/", "v": "/b/c/t/v/"}
    assert summary.changed == 3
    again = register.regions(HEAD + "c,C,county,b,,,\n")
    assert (again.changed, again.revision) == (0, 2)


def test_a_new_level_between_moves_the_villages_that_the_file_has(register: Register) -> None:
    register.regions(HEAD + "99,P,province,,,,\n990101001001,V,village,,,,\n")
    register.regions(HEAD + "990101,C,county,,,,\n990101001001,V,village,,,,\n")
    assert paths(register)["990101001001"] == "/990000000000/990101000000/990101001001/"


def test_prune_removes_what_the_file_does_not_have(register: Register) -> None:
    register.regions()
    summary = register.regions(COUNTY.replace("990101002001,三村,village,,30.21,119.91,\n", ""), prune=True)
    assert (summary.removed, summary.unchanged) == (1, 5)
    assert "990101002001" not in paths(register)


@pytest.mark.parametrize(
    ("pointing", "words"),
    [
        ("recipient", "recipient h9 points to it"),
        ("seat", "a seat of recipient h9 points to it"),
        ("alias", "alias same 006037 points to it"),
    ],
)
def test_prune_keeps_what_something_points_to(register: Register, pointing: str, words: str) -> None:
    register.regions()
    home, roles = ("990101002001", "") if pointing == "recipient" else ("990101001001", "media@990101002001")
    if pointing == "alias":
        register.aliases("scheme,value,region\nSAME,006037,990101002001\n")
    else:
        register.recipients(f"id,kind,name,region,roles\nh9,household,周,{home},{roles}\n")
    before = register.tables()
    summary = register.regions(COUNTY.replace("990101002001,三村,village,,30.21,119.91,\n", ""), prune=True)
    assert causes(summary) == [f"directory: region 990101002001 is not in the file, but {words}"]
    assert register.tables() == before


def test_prune_may_remove_a_region_that_only_a_former_recipient_was_in(register: Register) -> None:
    register.regions()
    register.recipients("id,kind,name,region\nh9,household,周,990101002001\n")
    register.recipients("id,kind,name,region\nh9,household,周,990101001001\n")
    assert register.regions(COUNTY.replace("990101002001,三村,village,,30.21,119.91,\n", ""), prune=True).removed == 1


def test_prune_refuses_to_leave_children_without_a_parent(register: Register) -> None:
    register.regions(HEAD + "c,C,county,,,,\nv,V,village,c,,,\n")
    summary = register.regions(HEAD + "v,V,village,c,,,\n", prune=True)
    assert causes(summary) == ["line 2, parent: c is no region above a village, here or in the directory"]


@pytest.mark.parametrize("prune", [False, True])
def test_a_dry_run_counts_like_the_import_and_changes_nothing(register: Register, *, prune: bool) -> None:
    register.regions(HEAD + "990101,旧名,county,,,,\n88,别省,province,,,,\n")
    before = register.tables()
    rehearsed = register.regions(COUNTY, dry_run=True, prune=prune)
    assert register.tables() == before
    done = register.regions(COUNTY, prune=prune)
    assert (rehearsed.new, rehearsed.changed, rehearsed.unchanged, rehearsed.removed) == (
        done.new,
        done.changed,
        done.unchanged,
        done.removed,
    )
    assert (done.new, done.changed, done.removed) == (5, 1, 1 if prune else 0)


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (",村,village,,,,", "line 2, code: is empty"),
        ("a/b,村,village,,,,", "line 2, code: 'a/b' is no region code"),
        ("3.3E+11,村,village,,,,", "line 2, code: '3.3E+11' is no region code"),
        (f"{'9' * 65},村,village,,,,", f"line 2, code: '{'9' * 65}' is no region code"),
        ("v,,village,,,,", "line 2, name: is empty"),
        (f"v,{'村' * 201},village,,,,", "line 2, name: has 201 characters"),
        ('v,"一\n村",village,,,,', "line 2, name: '一 村' holds a control character"),
        ("v,村,hamlet,,,,", "line 2, tier: 'hamlet' is no tier"),
        ("v,村,,,,,", "line 2, tier: '' is no tier"),
        ("v,村,village,v,,,", "line 2, parent: is the region itself"),
        ("v,村,village,nowhere,,,", "line 2, parent: nowhere is no region above a village, here or in the directory"),
        ("v,村,village,,91,181,", "line 2, lat: 91 is out of range"),
        ("v,村,village,,30,181,", "line 2, lon: 181 is out of range"),
        ("v,村,village,,120.1,30.2,", "line 2, lat: 120.1 is no latitude, lat and lon look swapped"),
        ("v,村,village,,30.2,,", "line 2, lon: is empty although the other one is not"),
        ("v,村,village,,,120.2,", "line 2, lat: is empty although the other one is not"),
        ("v,村,village,,nan,120.2,", "line 2, lat: 'nan' is no number of degrees"),
        ("v,村,village,,30°12',120.2,", "line 2, lat: '30°12'' is no number of degrees"),
        ("v,村,village,,30.2,1e2,", "line 2, lon: '1e2' is no number of degrees"),
        ("v,村,village,,,,-5", "line 2, population: '-5' is no number of people"),
        ("v,村,village,,,,many", "line 2, population: 'many' is no number of people"),
        ("v,村,village,,,,1,2", "line 2: has 8 fields, the header has 7"),
    ],
)
def test_a_bad_row_is_told_by_line_and_cause_and_nothing_is_imported(register: Register, line: str, cause: str) -> None:
    register.regions()
    before = register.tables()
    summary = register.regions(f"{HEAD}{line}\nok,好村,village,,,,\n")
    assert causes(summary) == [cause]
    assert register.tables() == before


def test_a_village_cannot_hold_a_village(register: Register) -> None:
    summary = register.regions(HEAD + "a,A,village,,,,\nb,B,village,a,,,\n")
    assert causes(summary) == ["line 3, parent: a is no region above a village, here or in the directory"]


def test_a_tier_must_be_below_its_parents(register: Register) -> None:
    summary = register.regions(HEAD + "a,A,county,,,,\nb,B,city,a,,,\nc,C,county,a,,,\n")
    assert causes(summary) == [
        "line 3, tier: a city cannot lie in a, a county",
        "line 4, tier: a county cannot lie in a, a county",
    ]


def test_parents_in_a_circle_are_named_with_the_way_round(register: Register) -> None:
    summary = register.regions(HEAD + "a,A,city,c,,,\nb,B,county,a,,,\nc,C,township,b,,,\n")
    assert causes(summary)[0] == "line 2, parent: the parents form a circle: a > c > b > a"
    assert summary.problems.total == 3


def test_a_code_may_stand_once_whatever_its_padding(register: Register) -> None:
    summary = register.regions(HEAD + "990101,A,county,,,,\n990101000000,B,county,,,,\n")
    assert causes(summary) == ["line 3, code: 990101000000 stands in line 2 already"]


def test_coordinates_that_fit_the_parent_better_the_other_way_round_are_swapped(register: Register) -> None:
    # Kashgar lies at 39 N 76 E: both orders are on Earth.
    summary = register.regions(HEAD + "c,C,county,,39.4,76.0,\nv,V,village,c,76.1,39.5,\n")
    assert causes(summary) == ["line 3, lat: lat and lon look swapped: the other way round it lies near c"]


def test_faults_between_rows_are_told_together_with_those_within(register: Register) -> None:
    summary = register.regions(HEAD + "c,,county,,,,\nv,V,village,c,,,\nw,W,village,nowhere,,,\n")
    assert causes(summary) == [
        "line 2, name: is empty",
        "line 4, parent: nowhere is no region above a village, here or in the directory",
    ]


def test_a_region_cannot_become_a_village_over_those_in_it(register: Register) -> None:
    register.regions(HEAD + "c,C,county,,,,\nt,T,township,c,,,\nv,V,village,t,,,\n")
    summary = register.regions(HEAD + "t,T,village,c,,,\n")
    assert causes(summary) == ["directory: village v would lie in t, which the file makes a village"]
    summary = register.regions(HEAD + "c,C,township,,,,\n")
    assert causes(summary) == ["directory: township t: a township cannot lie in c, a township"]


def test_all_errors_are_counted_and_the_first_thousand_kept(register: Register) -> None:
    summary = register.regions(HEAD + "".join(f"v{n},,village,,,,\n" for n in range(KEPT + 7)))
    assert summary.problems.total == KEPT + 7
    assert len(list(summary.problems)) == KEPT
    assert summary.document()["errors"][0] == {
        "line": 2,
        "feature": None,
        "column": "name",
        "cause": "is empty",
        "fix": "Give a name.",
    }


def feature(properties: str, geometry: str = "null") -> str:
    return f'{{"type":"Feature","properties":{properties},"geometry":{geometry}}}'


def collection(*features: str) -> str:
    return '{"type":"FeatureCollection","features":[\n' + ",\n".join(features) + "\n]}"


RINGS = "[[[120,30],[120.2,30],[120.2,30.2],[120,30.2],[120,30]]]"
SQUARE = f'{{"type":"Polygon","coordinates":{RINGS}}}'
VILLAGE = '{"code":"990101001001","name":"一村","tier":"village"}'


def test_geojson_brings_shapes_and_a_point_within(register: Register) -> None:
    summary = register.regions(collection(feature(VILLAGE, SQUARE)), name="r.geojson")
    assert causes(summary) == []
    with register.reading() as conn:
        region = directory.find_regions(conn, codes=["990101001001"])["990101001001"]
        shape = shapely.from_wkb(directory.shapes(conn, codes=["990101001001"])["990101001001"])
    assert shape.bounds == (120, 30, 120.2, 30.2)
    assert region.lon is not None
    assert region.lat is not None
    assert shape.contains(shapely.Point(region.lon, region.lat))


def test_geojson_takes_points_multipolygons_heights_and_numbers(register: Register) -> None:
    point = '{"type":"Point","coordinates":[120.1,30.1,12]}'
    multi = f'{{"type":"MultiPolygon","coordinates":[{RINGS}]}}'
    summary = register.regions(
        collection(
            feature('{"code":990101,"name":"县","tier":"county","parent":null,"population":5}', point),
            feature('{"code":"990101001","name":"镇","tier":"township"}', multi),
            feature('{"code":"990101002","name":"镇","tier":"township"}'),
        ),
        name="r.json",
    )
    assert causes(summary) == []
    rows = {row[0]: row for row in register.tables()["region"]}
    assert rows["990101000000"][6:9] == (30.1, 120.1, 5)


def test_the_same_shape_again_is_unchanged(register: Register) -> None:
    register.regions(collection(feature(VILLAGE, SQUARE)), name="r.geojson")
    assert register.regions(collection(feature(VILLAGE, SQUARE)), name="r.geojson").unchanged == 1


@pytest.mark.parametrize(
    ("geometry", "cause"),
    [
        (
            '{"type":"LineString","coordinates":[[1,2],[3,4]]}',
            "the geometry is LineString, not Point, Polygon or MultiPolygon",
        ),
        (
            '{"type":["Polygon"],"coordinates":[]}',
            "the geometry is ['Polygon'], not Point, Polygon or MultiPolygon",
        ),
        ('"here"', "the geometry is None, not Point, Polygon or MultiPolygon"),
        ('{"type":"Polygon"}', "the coordinates are incomplete"),
        ('{"type":"Polygon","coordinates":[[[0,0],[1,0],[0,0]]]}', "a ring has only 3 positions"),
        ('{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1]]]}', "a ring does not end where it begins"),
        ('{"type":"Polygon","coordinates":[[[0,0],[1,1],[2,2],[0,0]]]}', "the shape has no area"),
        (
            '{"type":"Polygon","coordinates":[[[0,0],["1",0],[1,1],[0,0]]]}',
            "the coordinates are no positions of two numbers",
        ),
        (
            '{"type":"Polygon","coordinates":[[[0,0],[1],[1,1],[0,0]]]}',
            "the coordinates are no positions of two numbers",
        ),
        ('{"type":"Point","coordinates":[true,false]}', "the coordinates are no positions of two numbers"),
        (
            '{"type":"Point","coordinates":[1e999,2]}',
            "there are coordinates beyond 180 degrees of longitude or 90 of latitude (longitude comes first)",
        ),
        (
            '{"type":"Point","coordinates":[30,120]}',
            "there are coordinates beyond 180 degrees of longitude or 90 of latitude (longitude comes first)",
        ),
        (
            '{"type":"Polygon","coordinates":[[[0,0],[1,1],[1,0],[0,1],[0,0]]]}',
            "the shape crosses itself: Self-intersection[0.5 0.5]",
        ),
    ],
)
def test_a_bad_shape_is_told_by_feature_and_line(register: Register, geometry: str, cause: str) -> None:
    other = feature('{"code":"ok","name":"好","tier":"village"}')
    summary = register.regions(collection(other, feature(VILLAGE, geometry)), name="r.geojson")
    assert causes(summary) == [f"feature 2 (line 3), geometry: {cause}"]
    assert register.tables()["region"] == []


def test_a_shape_that_hardly_crosses_itself_is_mended_and_noted(register: Register) -> None:
    sliver = '{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1],[-0.001,0.001],[0.001,-0.001],[0,0]]]}'
    summary = register.regions(collection(feature(VILLAGE, sliver)), name="r.geojson")
    assert (causes(summary), summary.notes.total) == ([], 1)
    with register.reading() as conn:
        shape = shapely.from_wkb(directory.shapes(conn, codes=["990101001001"])["990101001001"])
    assert shape.is_valid
    assert shape.area == pytest.approx(1, abs=0.01)


def test_a_point_that_lies_in_the_shape_only_when_swapped_is_told(register: Register) -> None:
    properties = '{"code":"v","name":"村","tier":"village","lat":76.1,"lon":39.5}'
    shape = '{"type":"Polygon","coordinates":[[[76,39],[77,39],[77,40],[76,40],[76,39]]]}'
    summary = register.regions(collection(feature(properties, shape)), name="r.geojson")
    assert causes(summary) == [
        "feature 1 (line 2), lat: lat and lon look swapped: the other way round they lie in the shape"
    ]


@given(
    st.dictionaries(
        st.sampled_from(["code", "name", "tier", "parent", "lat", "lon", "population"]), st.text(max_size=20)
    )
)
def test_any_text_is_either_read_or_told(values: dict[str, str]) -> None:
    problems = Problems()
    entry = read_region(Row(7, None, values), problems, repaired=Problems())
    assert (entry is None) == bool(problems)
    assert all(each.line == 7 and each.cause and each.fix for each in problems)


def test_recipients_stay_with_their_regions(register: Register) -> None:
    register.regions()
    register.recipients(PEOPLE)
    seen = register.seen()
    register.regions(COUNTY.replace("900", "901"))
    assert [row for row in register.seen() if row[1] == "person"] == [row for row in seen if row[1] == "person"]
