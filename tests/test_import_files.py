"""Rubbish at the door: whatever the file, the answer says what, where and what to do, and nothing is imported."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.register import COUNTY, Register, causes, opened

HEAD = "code,name,tier,parent,lat,lon,population\n"
ONE = '{"type":"Feature","properties":{"code":"990101","name":"清河县","tier":"county"},"geometry":null}'


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Register]:
    with opened(tmp_path) as made:
        yield made


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_utf_8_and_what_spreadsheets_write_in_china_are_read(register: Register, encoding: str, newline: str) -> None:
    summary = register.regions(COUNTY.replace("\n", newline).encode(encoding))
    assert (summary.new, causes(summary)) == (6, [])
    assert {row[1] for row in register.tables()["region"]} >= {"清河县", "三村"}
    assert summary.notes.total == (1 if encoding == "gb18030" else 0)


NEITHER = "the text is neither UTF-8 nor GB18030"
BAD_CSV = {
    "empty": (b"", "line 1: the first line is empty"),
    "only a line end": (b"\n", "line 1: the first line is empty"),
    "header only": (HEAD.encode(), "line 1: the file holds no rows"),
    "unknown column": (b"code,name,tier,colour\n", "line 1: unknown column 'colour'"),
    "missing column": (b"code,tier\n", "line 1: missing column name"),
    "column twice": (b"code,name,tier,name\n", "line 1: column 'name' stands twice"),
    "semicolons": (b"code;name;tier\n1;2;3\n", "line 1: the columns are not parted by commas"),
    "tabs": (b"code\tname\ttier\n", "line 1: the columns are not parted by commas"),
    "UTF-16": (COUNTY.encode("utf-16"), "line 1: this is UTF-16 text"),
    "workbook": (b"PK\x03\x04" + bytes(100), "line 1: this is a workbook or a zip file"),
    "old workbook": (b"\xd0\xcf\x11\xe0" + bytes(100), "line 1: this is an old Excel workbook"),
    "zero bytes": (HEAD.encode() + b"a,b\0,village,,,,\n", "line 2: there is a zero byte: this is no text file"),
    "Latin-1": (HEAD.encode() + "a,café,village,,,,\n".encode("latin-1"), f"line 2: {NEITHER}"),
    "damaged UTF-8": (
        COUNTY.encode() + b"x,\xe4\xb8,village,,,,\n",
        "line 8: the text up to here is UTF-8, this line is not",
    ),
    "10 MB in one line": (HEAD.encode() + b"a" * 10_000_000, "line 2: the line is longer than 65536 characters"),
    "open quote": (
        HEAD.encode() + b'a,"b,village,,,,\n' + b"c,d,village,,,,\n" * 50,
        "line 2: a quote opened here is not closed",
    ),
    "open quote at the end": (HEAD.encode() + b'a,"b,village,,,,\n', "line 2: this is no CSV: unexpected end of data"),
    "text behind a quote": (HEAD.encode() + b'a,"b"c,village,,,,\n', "line 2: this is no CSV: ',' expected after '\"'"),
}


@pytest.mark.parametrize("case", BAD_CSV)
def test_a_file_that_is_no_csv_is_told_by_line_and_cause(register: Register, case: str) -> None:
    content, cause = BAD_CSV[case]
    summary = register.regions(content)
    assert causes(summary) == [cause]
    assert register.tables()["region"] == []
    assert all(each.fix for each in summary.problems)


def test_empty_lines_are_passed_over_and_lines_are_counted_through_quotes(register: Register) -> None:
    summary = register.regions(HEAD + '\na,"A\nB",village,,,,\n\nb,,village,,,,\n')
    assert causes(summary) == ["line 3, name: 'A B' holds a control character", "line 6, name: is empty"]


def test_a_fault_on_the_way_to_an_unreadable_line_is_told_too(register: Register) -> None:
    summary = register.regions(HEAD + 'a,,village,,,,\nb,"B"x,village,,,,\n')
    assert [cause.partition(":")[0] for cause in causes(summary)] == ["line 2, name", "line 3"]


BAD_GEOJSON = {
    "empty": ("", "line 1: this is no GeoJSON: found the end of the file instead of '{'"),
    "a list": ("[1]", "line 1: this is no GeoJSON: found '[' instead of '{'"),
    "one feature": (ONE, "line 1: the type is Feature, not FeatureCollection"),
    "another type": ('{"type":"Topology","objects":{}}', "line 1: the type is Topology, not FeatureCollection"),
    "no features": ('{"type":"FeatureCollection","features":[]}', "line 1: the file holds no rows"),
    "features are an object": (
        '{"type":"FeatureCollection","features":{}}',
        "line 1: this is no GeoJSON: found '{' instead of '['",
    ),
    "NaN": ('{"type":"FeatureCollection",\n"features":[{"a":NaN}]}', "line 2: NaN is no JSON number"),
    "cut off": ('{"type":"FeatureCollection","features":[' + ONE[:40], "line 1: this is no JSON: "),
    "cut off behind a feature": (
        '{"type":"FeatureCollection","features":[' + ONE,
        "line 1: this is no GeoJSON: found the end of the file instead of ']'",
    ),
    "nested": (
        '{"type":"FeatureCollection","features":[' + "[" * 200_000,
        "line 1: the text is nested too deeply",
    ),
    "another grid": (
        '{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"EPSG:3857"}},"features":[]}',
        "line 1: coordinates are in {'type': 'name', 'properties': {'name': 'EPSG:3857'}}",
    ),
    "more behind it": (
        '{"type":"FeatureCollection","features":[' + ONE + "]} x",
        "line 1: there is something behind the last bracket",
    ),
    "a huge number": (
        '{"type":"FeatureCollection","features":[' + "9" * 5000 + "]}",
        "line 1: this is no JSON: Exceeds the limit",
    ),
}


@pytest.mark.parametrize("case", BAD_GEOJSON)
def test_a_file_that_is_no_geojson_is_told(register: Register, case: str) -> None:
    content, cause = BAD_GEOJSON[case]
    summary = register.regions(content, name="r.geojson")
    assert len(causes(summary)) == 1
    assert causes(summary)[0].startswith(cause)
    assert register.tables()["region"] == []


@pytest.mark.parametrize(
    ("feature", "cause"),
    [
        ("7", "feature 2 (line 2): is no Feature"),
        ('{"type":"Point"}', "feature 2 (line 2): is no Feature"),
        ('{"type":"Feature","properties":null}', "feature 2 (line 2): has no properties"),
        (
            '{"type":"Feature","properties":{"code":["a"]}}',
            "feature 2 (line 2): property 'code' is neither text nor a number",
        ),
        (
            '{"type":"Feature","properties":{"code":true}}',
            "feature 2 (line 2): property 'code' is neither text nor a number",
        ),
        (
            '{"type":"Feature","properties":{"code":"a","name":"A","tier":"city","colour":1}}',
            "feature 2 (line 2), colour: is no known property",
        ),
    ],
)
def test_a_bad_feature_is_told_and_the_rest_is_read_on(register: Register, feature: str, cause: str) -> None:
    text = f'{{"type":"FeatureCollection","features":[{ONE},\n{feature},\n{ONE}]}}'
    summary = register.regions(text, name="r.geojson")
    assert causes(summary) == [cause, "feature 3 (line 3), code: 990101000000 stands in line 1 already"]


def test_members_may_come_in_any_order_and_long_files_in_pieces(register: Register) -> None:
    ring = [[120 + n / 1e6, 30 + (n % 2) / 1e6] for n in range(60_000)]
    ring += [[120.07, 31], [120, 31], ring[0]]
    shape = f'{{"type":"Polygon","coordinates":[{ring}]}}'
    features = [
        f'{{"geometry":{shape},"properties":{{"code":"v{n}","name":"村","tier":"village"}},"type":"Feature"}}'
        for n in range(3)
    ]
    text = f'{{"bbox":[1,2,3,4],"name":"x","features":[{",".join(features)}],"type":"FeatureCollection"}}'
    assert len(text) > 3 << 20
    summary = register.regions(text, name="r.geojson")
    assert (causes(summary), summary.new) == ([], 3)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=300),
    st.sampled_from(["regions.csv", "r.geojson"]),
    st.sampled_from([b"", HEAD.encode(), COUNTY.encode()]),
)
def test_no_bytes_make_it_stumble(register: Register, rubbish: bytes, name: str, before: bytes) -> None:
    summary = register.regions(before + rubbish, name=name, dry_run=True)
    assert all(each.cause and each.fix for each in summary.problems)
    assert summary.revision == 0


def test_damage_anywhere_is_told_or_harmless(register: Register) -> None:
    chance = random.Random(7)
    content = bytearray(COUNTY.encode())
    for _ in range(200):
        at = chance.randrange(len(content))
        damaged = content[:at] + bytes([chance.randrange(256)]) + content[at + 1 :]
        summary = register.regions(bytes(damaged), dry_run=True)
        assert summary.problems or summary.rows in {5, 6}
