"""Whatever the bytes: an alert, or one of parse's own errors. The rules then judge any alert without failing."""

import random

import pytest

from tests.cap.alerts import judged, sample
from warnd.model.cap import Alert, CapError, parse, write

NAMES = ["flood_red", "flood_cancel", "exercise", "old_version"]
PIECES = [
    b"<",
    b">",
    b"&",
    b"]]>",
    b"<!--",
    b"\x00",
    b"\xff",
    b"<info>",
    b"</info>",
    b"&#0;",
    b"&#x1F600;",
    b"<!DOCTYPE a>",
]
PIECES += [
    b"nan",
    b"-",
    b"9" * 40,
    b"+14:00",
    b"2026-02-30",
    b"1e999",
    "\u2028".encode(),
    b"<polygon/>",
    b"<references/>",
]


def mutate(document: bytes, dice: random.Random) -> bytes:
    broken = bytearray(document)
    for _ in range(dice.choice([1, 1, 2, 5, 20])):
        at, span = dice.randrange(len(broken)), dice.randrange(1, 30)
        match dice.randrange(5):
            case 0:
                del broken[at : at + span]
            case 1:
                broken[at:at] = dice.choice(PIECES)
            case 2:
                broken[at] = dice.randrange(256)
            case 3:
                broken[at:at] = broken[at : at + span * 10]
            case _:
                broken[at : at + 1] = str(dice.randrange(10)).encode()
    return bytes(broken)


@pytest.mark.parametrize("name", NAMES)
def test_broken_bytes_raise_only_parse_errors(name: str) -> None:
    dice = random.Random(name)
    alerts = [alert for _ in range(200) if (alert := read(mutate(sample(f"{name}.xml"), dice))) is not None]
    for alert in alerts:
        judged(alert)
        out = write(alert)
        assert write(parse(out)) == out

    assert 5 < len(alerts) < 195, "the mutations are too wild or too mild to try both ways"


def read(document: bytes) -> Alert | None:
    try:
        return parse(document)
    except CapError as refused:
        return None if refused.reasons and all(reason.cause for reason in refused.reasons) else pytest.fail("no reason")


def test_random_bytes_raise_only_parse_errors() -> None:
    dice = random.Random(5)
    for size in range(300):
        with pytest.raises(CapError):
            parse(dice.randbytes(size))
