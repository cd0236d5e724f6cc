import pytest
from hypothesis import given
from hypothesis import strategies as st

from warnd.model.region import (
    Jurisdiction,
    child_path,
    code_of,
    national_ancestors,
    path_codes,
    paths_above,
    prefix,
    stored_code,
    subtree,
)

digits = st.sampled_from([2, 4, 6, 9, 12]).flatmap(lambda n: st.text("0123456789", min_size=n, max_size=n))
codes = st.text(st.sampled_from("09azAZ-._~中"), min_size=1, max_size=5)
paths = st.lists(codes, min_size=1, max_size=4).map(lambda parts: f"/{'/'.join(parts)}/")


@pytest.mark.parametrize(
    ("given_code", "stored", "short"),
    [
        ("33", "330000000000", "33"),
        ("3310", "331000000000", "3310"),
        ("330106", "330106000000", "330106"),
        ("330106001", "330106001000", "330106001"),
        ("330106001007", "330106001007", "330106001007"),
        ("441900003000", "441900003000", "441900003"),
        ("DE-BY", "DE-BY", "DE-BY"),
        ("0060370", "0060370", "0060370"),
        ("３３", "３３", "３３"),
    ],
)
def test_national_codes_are_padded_to_12_digits_and_others_stand(given_code: str, stored: str, short: str) -> None:
    assert stored_code(given_code) == stored
    assert prefix(stored) == short


@given(digits)
def test_a_prefix_leads_back_to_the_stored_code(code: str) -> None:
    assert stored_code(prefix(stored_code(code))) == stored_code(code)


@given(digits)
def test_ancestors_are_shorter_prefixes_nearest_first(code: str) -> None:
    above = [prefix(each) for each in national_ancestors(code)]
    assert all(prefix(code).startswith(each.rstrip("0")) for each in above)
    assert stored_code(code) not in national_ancestors(code)


def test_a_village_has_four_ancestors() -> None:
    assert national_ancestors("330106001007") == ("330106001000", "330106000000", "330100000000", "330000000000")
    assert national_ancestors("DE-BY") == ()


@given(paths, paths)
def test_a_subtree_is_one_range_in_byte_order(root: str, path: str) -> None:
    low, high = subtree(root)
    assert (low.encode() <= path.encode() < high.encode()) == path.startswith(root)


@given(paths)
def test_a_path_tells_its_codes(path: str) -> None:
    found = path_codes(path)
    assert found[-1] == code_of(path)
    assert paths_above(path)[-1] == path
    assert [code_of(each) for each in paths_above(path)] == list(found)
    assert child_path("".join(paths_above(path)[-2:-1]) or None, found[-1]) == path


def test_a_jurisdiction_covers_its_subtrees_and_nothing_beside() -> None:
    own = Jurisdiction(paths=("/33/3301/",))
    assert own.covers("/33/3301/")
    assert own.covers("/33/3301/330106/")
    assert not own.covers("/33/")
    assert not own.covers("/33/33011/")
    assert own.within("/33/") == ("/33/3301/",)
    assert own.within("/33/3301/") == ()


def test_a_jurisdiction_that_was_not_imported_is_known_by_its_digits() -> None:
    own = Jurisdiction(prefixes=("3301",))
    assert own.covers("/330106000000/330106001000/")
    assert not own.covers("/330206000000/")
    assert not own.covers("/3301x/")
