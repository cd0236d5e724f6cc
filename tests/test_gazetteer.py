"""How a typed name is read, and what a place is found by."""

from hypothesis import given
from hypothesis import strategies as st

from warnd.model.gazetteer import QUERY_MAX, fold, keys, readings

NAMES = st.text(max_size=30)


@given(NAMES)
def test_a_place_is_found_by_every_beginning_of_its_name(name: str) -> None:
    whole = fold(name)
    found = keys([name])
    assert (not whole) == (not found)
    for end in range(1, len(whole) + 1):
        assert any(key.startswith(whole[:end]) for key in found)


@given(NAMES)
def test_folding_twice_changes_nothing_more(name: str) -> None:
    assert fold(fold(name)) == fold(name)


def test_width_case_spaces_and_hyphens_make_no_difference() -> None:
    assert fold("Ｌｉｕｈｅ  TOWN") == fold("liuhe-town") == "liuhe town"
    assert keys(["Liuhe Town", "柳河镇"]) == {"liuhe town", "town", "柳河镇"}


def test_a_query_is_one_name_or_a_name_in_another_place() -> None:
    assert readings("Liuhe Xincun") == [("", "liuhe xincun"), ("liuhe", "xincun")]
    assert readings("柳河镇新村")[:3] == [("", "柳河镇新村"), ("柳河镇新", "村"), ("柳河镇", "新村")]
    assert readings(" , ") == readings("") == []


@given(st.text(max_size=300))
def test_the_ways_to_read_a_query_are_few(query: str) -> None:
    found = readings(query)
    assert len(found) <= 12
    assert all(len(outer) + len(name) <= 20 * QUERY_MAX for outer, name in found)  # One letter may fold into several.
    assert all(name for _, name in found[:1])
