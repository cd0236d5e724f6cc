import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from warnd.settings.toml_lines import Path, line_of, toml_lines

TEXT = '''\
# [a]
plain = 1 # b = 2
"quoted key".dotted.'literal.key' = "x # = ["
many = """
[not.a.table]
not_a_key = 1 \\"""
"""
literal = \'\'\'
x = [
\'\'\'
list = [
  "a", # "b",

  [1,
   2], { in = 1, deep = [
  3] }
]

[table."with.dot"]
key = { inner = "x", other = 2 }
[[plan]]
name = "first"
[[plan.audience]]
name = "one"
[[plan.audience]]

name = "two"
[plan.village]
rule = 2026-11-21T08:00:00Z
[[plan]]
[[plan.audience]]
name = "three"
last = "end"'''

LINES = {
    ("plain",): 2,
    ("quoted key", "dotted", "literal.key"): 3,
    ("many",): 4,
    ("literal",): 8,
    ("list",): 11,
    ("list", 0): 12,
    ("list", 1, 1): 15,
    ("list", 2, "in"): 15,
    ("list", 2, "deep", 0): 16,
    ("table", "with.dot"): 19,
    ("table", "with.dot", "key", "other"): 20,
    ("plan",): 21,
    ("plan", 0, "name"): 22,
    ("plan", 0, "audience", 0, "name"): 24,
    ("plan", 0, "audience", 1, "name"): 27,
    ("plan", 0, "village", "rule"): 29,
    ("plan", 1): 30,
    ("plan", 1, "audience", 0): 31,
    ("plan", 1, "audience", 0, "last"): 33,
}


def paths(value: Any, at: Path = ()) -> set[Path]:
    """All paths of what the standard parser made of the text."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {at for _ in "x" if at}.union(*(paths(each, (*at, key)) for key, each in inside))


def test_every_form_of_key_is_found_on_its_line() -> None:
    lines = toml_lines(TEXT)
    assert {path: lines.get(path) for path in LINES} == LINES
    assert set(lines) == paths(tomllib.loads(TEXT))


def test_windows_line_ends_count_once() -> None:
    assert toml_lines("a = 1\r\n\r\nb = 2\r\n")[("b",)] == 3


def test_a_missing_key_is_told_at_the_table_that_lacks_it() -> None:
    lines = toml_lines("\n[mqtt]\nhost = 'x'\n")
    assert line_of(lines, ("mqtt", "port")) == 2
    assert line_of(lines, ("sms",)) is None


KEYS = st.text("ab.\"'# =\\né", min_size=1, max_size=4)
SCALARS = st.one_of(st.integers(), st.booleans(), st.text("a\"'#=[]{}\\\n ,", max_size=6))
VALUES = st.recursive(
    SCALARS, lambda inside: st.lists(inside, max_size=3) | st.dictionaries(KEYS, inside, max_size=3), max_leaves=8
)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def written(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return quoted(value)
        case list():
            return "[ # ]\n" + ",\n".join(map(written, value)) + "\n]"
        case dict():
            return "{" + ", ".join(f"{quoted(key)} = {written(each)}" for key, each in value.items()) + "}"
        case _:
            return str(value)


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_it_finds_exactly_the_keys_that_the_parser_finds(values: dict[str, Any]) -> None:
    text, starts = "", {}
    for key, value in values.items():
        text += "\n"
        starts[(key,)] = text.count("\n") + 1
        text += f"{quoted(key)} = {written(value)}\n"
    lines = toml_lines(text)
    assert tomllib.loads(text) == values
    assert set(lines) == paths(values)
    assert {path: line for path, line in lines.items() if len(path) == 1} == starts
