"""What the demonstration tells at its end is the daemon's word beside the truth, never its own wish."""

import io
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any

import pytest

from tests.fakes.api import FakeApi, fake_api
from warnd.cli.client import Api
from warnd.cli.demo.cast import CONFIRMED, give_parts
from warnd.cli.demo.county import invent
from warnd.cli.demo.show import PlainShow
from warnd.cli.demo.sight import all_confirmed, look, picture, result

COUNTY = invent()
CAST = give_parts(COUNTY)
TRUE = {code: reason for code, reason in CAST.truth.items() if reason != CONFIRMED}


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with fake_api() as served:
        yield served


def serve(api: FakeApi, unconfirmed: dict[str, str]) -> None:
    warning: dict[str, Any] = {
        "id": "w1",
        "status": "Actual",
        "level": "red",
        "event": "洪水",
        "released_at": "2026-11-21T08:00:00Z",
        "totals": {
            "villages": {"targeted": 120, "confirmed": 120 - len(unconfirmed), "unconfirmed": len(unconfirmed)},
            "planned": True,
        },
    }
    villages = [{"code": code, "reason": reason, "detail": "as it says"} for code, reason in unconfirmed.items()]
    api.answer("GET", "/api/v1/warnings/w1", warning)
    pace = {"p50": 31, "p90": 40, "p100": None}
    at = "2026-11-21T08:01:02.500Z"
    api.answer("GET", "/api/v1/warnings/w1/coverage", {"at": at, "unconfirmed": villages, "confirmed_at": pace})


async def test_the_truth_told_in_full_ends_well(api: FakeApi) -> None:
    serve(api, TRUE)
    with Api(api.url, "t") as client:
        sight = await look(client, "w1")
    comparison = sight.beside(CAST.truth)
    assert sight.elapsed_s == 62.5
    assert all_confirmed(sight, CAST)
    lines = result(sight, comparison, county=COUNTY, last_s=52.4)
    assert lines[0] == "109 of 120 villages confirmed. Not confirmed:"
    assert lines[-1] == "Every village is confirmed or listed with its true reason."
    assert "50 % of the villages after 31 s, 90 % of the villages after 40 s, the last one after 53 s" in lines[-2]
    assert sum("officer_silent" in line for line in lines) == 2
    assert "offline 3" in picture(sight)[-1]


async def test_each_wrong_word_is_named(api: FakeApi) -> None:
    dark = next(code for code, reason in TRUE.items() if reason == "offline")
    fine = next(code for code, reason in CAST.truth.items() if reason == CONFIRMED)
    serve(api, {**TRUE, dark: "officer_silent", fine: "pending"})
    with Api(api.url, "t") as client:
        sight = await look(client, "w1")
    assert not all_confirmed(sight, CAST)
    lines = result(sight, sight.beside(CAST.truth), county=COUNTY, last_s=None)
    assert any(dark in line and "truth offline, said officer_silent" in line for line in lines)
    assert any(fine in line and "truth confirmed, said pending" in line for line in lines)
    assert "the last one after no time: not reached" in " ".join(lines)


def test_without_a_terminal_only_every_tenth_changed_picture_is_printed() -> None:
    out = io.StringIO()
    with redirect_stdout(out):
        show = PlainShow()
        for number in range(25):
            show.picture([str(number)])
        for _ in range(20):
            show.picture(["the same"])
    assert out.getvalue().split("\n") == ["0", "10", "20", "the same", ""]
