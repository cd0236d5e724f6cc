from datetime import UTC, datetime

import pytest

from warnd.model.cap import Reference
from warnd.model.cap.references import read_references, write_references

SENT = datetime(2026, 7, 1, tzinfo=UTC)
TIME = "2026-07-01T08:00:00+08:00"
FIRST, SECOND = Reference("a@b", "id-1", SENT), Reference("a@b", "id-2", SENT)


@pytest.mark.parametrize(
    ("text", "references"),
    [
        ("", ()),
        (f"a@b,id-1,{TIME}", (FIRST,)),
        (f"\n a@b,id-1,{TIME}\n\ta@b,id-2,2026-07-01T00:00:00Z ", (FIRST, SECOND)),
        (f"a@b,id-1,{TIME},a@b,id-2,{TIME}", (FIRST, SECOND)),
        (f"a@b, id-1, {TIME}", (FIRST,)),
        (f"Met Office Qinghe,no 1,{TIME}", (Reference("Met Office Qinghe", "no 1", SENT),)),
        ("a@b,id-1,yesterday", (Reference("a@b", "id-1", None, "yesterday"),)),
        (
            f"a@b,id-0,2026-07-01T08:00:00 a@b,id-1,{TIME}",
            (Reference("a@b", "id-0", None, "2026-07-01T08:00:00"), FIRST),
        ),
    ],
)
def test_references_are_read_as_meant(text: str, references: tuple[Reference, ...]) -> None:
    assert read_references(text) == (references, ())
    assert read_references(write_references(references, ())) == (references, ())


@pytest.mark.parametrize(
    ("text", "references", "unreadable"),
    [
        ("id-1", (), ("id-1",)),
        (f"a,b a@b,id-1,{TIME}", (FIRST,), ("a,b",)),
        (f"a@b,id-1,{TIME} see,notes", (FIRST,), ("see,notes",)),
        (f",id-1,{TIME}", (), (f",id-1,{TIME}",)),
        (TIME, (), (TIME,)),
        ("a,b,c,d,e,f", (), ("a,b,c,d,e,f",)),
    ],
)
def test_what_names_no_message_is_kept_apart(
    text: str, references: tuple[Reference, ...], unreadable: tuple[str, ...]
) -> None:
    assert read_references(text) == (references, unreadable)
    assert read_references(write_references(references, unreadable)) == (references, unreadable)
