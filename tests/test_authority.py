from pathlib import Path

import pytest

from warnd.resources import shipped
from warnd.settings import SettingsError, load_authority


def written(folder: Path, text: str) -> Path:
    path = folder / "authority.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_shipped_file_lets_nobody_change_anothers_warning() -> None:
    authority = load_authority(shipped("config") / "authority.toml")
    assert authority.may_change(sender="a", chain_sender="a")
    assert not authority.may_change(sender="b", chain_sender="a")


def test_a_superior_of_a_superior_may_change_a_warning_and_nobody_below_may(tmp_path: Path) -> None:
    authority = load_authority(written(tmp_path, '[superiors]\n"a@x" = ["b"]\nb = ["c", "d"]\n'))
    assert all(authority.may_change(sender=sender, chain_sender="a@x") for sender in ("a@x", "b", "c", "d"))
    assert not authority.may_change(sender="a@x", chain_sender="b")
    assert not authority.may_change(sender="c", chain_sender="d")


MISTAKES = {
    "[superior]": 'authority.toml:1: superior: There is no such key. Did you mean "superiors"?',
    '[superiors]\na = "b"': 'authority.toml:2: superiors.a: Found "b"; a list is expected here. Write a list of senders',
    "[superiors]\na = [1]": "authority.toml:2: superiors.a[1]: Found 1; it should be a valid string.",
    '[superiors]\nz = []\na = ["b"]\nb = ["a"]': "authority.toml:",
    '[superiors]\na = ["a"]': "authority.toml:2: superiors.a: Superiors go round in a circle: a < a.",
}


@pytest.mark.parametrize(("text", "problem"), MISTAKES.items())
def test_a_mistake_is_told_with_line_cause_and_fix(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_authority(written(tmp_path, text))
    (told,) = str(caught.value).replace(f"{tmp_path}/", "").splitlines()
    assert told.startswith(problem)


def test_a_circle_is_told_whole(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"in a circle: (a < b < a|b < a < b)\. Take one of them out\."):
        load_authority(written(tmp_path, '[superiors]\na = ["b"]\nb = ["a"]'))
