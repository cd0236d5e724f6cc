"""How codes stand in topics and in `regions`, and which terminals lie under which entries (DESIGN §13 Wire)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warnd.model.loudspeaker import DRILL_ROOT, LIVE_ROOT, Lineage, command_filters, padded, parse_topic, prefix
from warnd.model.loudspeaker.topics import region_command_topic


@pytest.mark.parametrize(
    ("code", "in_topic", "in_regions"),
    [
        ("51", "510000000000", "51"),
        ("510000000000", "510000000000", "51"),
        ("5101", "510100000000", "5101"),
        ("510100000000", "510100000000", "5101"),
        ("500000000000", "500000000000", "50"),
        ("510110000000", "510110000000", "510110"),
        ("510181", "510181000000", "510181"),
        ("510181100", "510181100000", "510181100"),
        ("510181100000", "510181100000", "510181100"),
        ("441900003", "441900003000", "441900003"),
        ("510181102010", "510181102010", "510181102010"),
        ("00", "000000000000", "00"),
        ("US-CO-013", "US-CO-013", "US-CO-013"),
        ("12345", "12345", "12345"),
        ("五一", "五一", "五一"),
        ("٥١", "٥١", "٥١"),
    ],
)
def test_national_codes_are_padded_in_topics_and_cut_in_regions_and_others_stand(
    code: str, in_topic: str, in_regions: str
) -> None:
    assert padded(code) == in_topic
    assert prefix(code) == in_regions


@given(st.from_regex(r"[0-9]{2}|[0-9]{4}|[0-9]{6}|[0-9]{9}|[0-9]{12}", fullmatch=True))
def test_a_prefix_names_the_same_region_as_its_code(code: str) -> None:
    assert padded(prefix(code)) == padded(code)


def test_the_ancestors_of_a_national_code_lie_in_its_digits() -> None:
    codes = ("510000000000", "510100000000", "510181000000", "510181102000", "510181102007")
    assert Lineage.parse("510181102007").codes == codes
    assert Lineage.parse("510181102").codes == codes[:4]
    assert Lineage.parse("510181000000").codes == codes[:3]


def test_the_ancestors_of_other_codes_are_given_outermost_first() -> None:
    assert Lineage.parse("US/US-CO/US-CO-013").codes == ("US", "US-CO", "US-CO-013")
    assert Lineage.parse("US-CO-013").codes == ("US-CO-013",)


@pytest.mark.parametrize("text", ["", "US//CO", "US/", "a b", "a+", "#", "a\x00b"])
def test_a_region_that_cannot_stand_in_a_topic_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no region code"):
        Lineage.parse(text)


@pytest.mark.parametrize(
    ("own", "regions", "under"),
    [
        ("510181102007", ["51"], True),
        ("510181102007", ["5101"], True),
        ("510181102007", ["510000000000"], True),
        ("510181102007", ["510181102007"], True),
        ("510181102007", ["52", "510181102"], True),
        ("510181102007", ["510181102008"], False),
        ("510181102007", ["5102"], False),
        ("510181102007", [], False),
        ("510181102007", ["US"], False),
        ("510181102", ["510181102007"], False),
        ("US/US-CO/US-CO-013", ["US-CO"], True),
        ("US/US-CO/US-CO-013", ["US-CO-013"], True),
        ("US/US-CO/US-CO-013", ["US-C"], False),
        ("US-CO-013", ["US-CO"], False),
    ],
)
def test_a_terminal_lies_under_its_own_region_and_each_ancestor_only(
    own: str, regions: list[str], *, under: bool
) -> None:
    assert Lineage.parse(own).under(regions) is under


def test_a_terminal_subscribes_its_own_topic_its_region_and_each_ancestor() -> None:
    assert command_filters(LIVE_ROOT, Lineage.parse("510181102"), "T-1") == (
        "warnd/v1/terminal/T-1/command",
        "warnd/v1/region/510000000000/command/+",
        "warnd/v1/region/510100000000/command/+",
        "warnd/v1/region/510181000000/command/+",
        "warnd/v1/region/510181102000/command/+",
    )


def test_a_topic_is_read_back_as_it_was_written() -> None:
    topic = parse_topic(region_command_topic(DRILL_ROOT, "5101", "flood-1"))
    assert topic is not None
    assert (topic.root, topic.kind, topic.to, topic.chain_id) == (
        DRILL_ROOT,
        "region_command",
        "region:510100000000",
        "flood-1",
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "warnd/v1",
        "warnd/v2/terminal/T/state",
        "warnd/v1/terminal/T",
        "warnd/v1/terminal//state",
        "warnd/v1/terminal/T/command/x",
        "warnd/v1/region/51/command",
        "warnd/v1/region/51/command/",
        "warnd/v1/region/51/command/+",
        "warnd/v1/region/51/command/a/b",
        "other/warnd/v1/terminal/T/state",
    ],
)
def test_what_is_no_topic_of_the_protocol_is_none(text: str) -> None:
    assert parse_topic(text) is None
