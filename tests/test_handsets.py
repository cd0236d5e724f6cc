"""The simulated phones behave as told, and do so again with the same seed."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from channels.sms.spool.letter import read_letter
from tests.fakes.clock import HandClock
from warnd.channel import Reply, Report
from warnd.cli.demo.handsets import OFF, SILENT, Behaviour, Handsets

PHONE = "+8613800138000"


class Street:
    """A spool with phones behind it."""

    def __init__(self, spool: Path, behaviour: Behaviour, *, seed: int = 1) -> None:
        self.spool = spool
        for name in ("out", "in"):
            (spool / name).mkdir(parents=True)
        self.clock = HandClock()
        phones = {PHONE: behaviour}
        self.handsets = Handsets(spool, clock=self.clock, random=random.Random(seed), behaviours=phones)

    def text(self, attempt: str, **changed: Any) -> None:
        usual = {"attempt": attempt, "to": PHONE, "text": "洪水红色预警。回复3确认", "segments": 3, "message_id": "w1"}
        (self.spool / "out" / f"{attempt}.json").write_text(json.dumps(usual | changed), "utf-8")

    def live(self, seconds: float) -> None:
        for _ in range(int(seconds * 10)):
            self.handsets.step()
            self.clock.advance(0.1)

    def said(self) -> list[Report | Reply]:
        """Return what came in, oldest first, read as the daemon reads it."""
        letters = [read_letter(path.read_bytes()) for path in sorted((self.spool / "in").glob("[!.]*.json"))]
        return sorted(letters, key=lambda letter: str(letter.at))

    def reports(self) -> list[Report]:
        return [letter for letter in self.said() if isinstance(letter, Report)]

    def replies(self) -> list[str]:
        return [letter.text for letter in self.said() if isinstance(letter, Reply)]


def test_a_phone_reports_every_part_and_its_owner_answers_with_the_digit(tmp_path: Path) -> None:
    street = Street(tmp_path, Behaviour())
    street.text("a-1")
    street.live(10)
    assert sorted((report.part, report.parts, report.failed) for report in street.reports()) == [
        (1, 3, False),
        (2, 3, False),
        (3, 3, False),
    ]
    assert street.replies() == ["3"]


def test_an_english_question_is_answered_too(tmp_path: Path) -> None:
    street = Street(tmp_path, Behaviour())
    street.text("a-1", text="RED Flood warning. Reply 7 to confirm")
    street.live(10)
    assert street.replies() == ["7"]


def test_nothing_is_said_before_its_time(tmp_path: Path) -> None:
    street = Street(tmp_path, Behaviour(report_after_s=(2, 3), answer_after_s=(5, 6)))
    street.text("a-1")
    street.live(1.9)
    assert street.said() == []
    street.live(2)
    assert (len(street.reports()), street.replies()) == (3, [])


def test_a_silent_owner_never_answers(tmp_path: Path) -> None:
    street = Street(tmp_path, SILENT)
    street.text("a-1")
    street.live(60)
    assert (len(street.reports()), street.replies()) == (3, [])


def test_a_phone_that_is_off_fails_and_says_nothing(tmp_path: Path) -> None:
    street = Street(tmp_path, OFF)
    street.text("a-1")
    street.live(60)
    assert [report.failed for report in street.reports()] == [True, True, True]
    assert street.replies() == []


def test_a_network_may_report_nothing(tmp_path: Path) -> None:
    street = Street(tmp_path, Behaviour(reports=False))
    street.text("a-1")
    street.live(60)
    assert (street.reports(), street.replies()) == ([], ["3"])


def test_some_answer_without_the_digit(tmp_path: Path) -> None:
    street = Street(tmp_path, Behaviour(bare=True))
    street.text("a-1")
    street.live(60)
    assert street.replies() == ["收到"]


def test_reports_may_come_twice(tmp_path: Path) -> None:
    street = Street(tmp_path, Behaviour(twice=1.0))
    street.text("a-1")
    street.live(60)
    assert len(street.reports()) == 6


def test_parts_report_in_any_order(tmp_path: Path) -> None:
    street = Street(tmp_path, SILENT)
    for number in range(10):
        street.text(f"a-{number}", segments=6)
    street.live(60)
    orders = {tuple(one.part for one in street.reports() if one.attempt == f"a-{number}") for number in range(10)}
    assert len(orders) > 5


def test_a_repeat_of_the_same_message_is_answered_once_and_another_message_again(tmp_path: Path) -> None:
    street = Street(tmp_path, Behaviour())
    street.text("a-1")
    street.live(10)
    street.text("a-2")
    street.text("b-1", message_id="w2", text="解除。回复4确认")
    street.live(10)
    assert street.replies() == ["3", "4"]


def test_a_public_text_is_not_answered(tmp_path: Path) -> None:
    street = Street(tmp_path, Behaviour())
    street.text("a-1", text="洪水红色预警。")
    street.live(60)
    assert street.replies() == []


def test_out_is_left_as_it_is(tmp_path: Path) -> None:
    street = Street(tmp_path, Behaviour())
    street.text("a-1")
    (tmp_path / "out" / ".a-2.json.tmp").write_text("half")
    street.live(10)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".a-2.json.tmp", "a-1.json"]


@pytest.mark.parametrize("pace", [1, 7])
def test_the_same_seed_gives_the_same_behaviour_whoever_polls_when(tmp_path: Path, pace: int) -> None:
    told = []
    for name, polls in (("one", 1), ("two", pace)):
        street = Street(tmp_path / name, Behaviour(twice=0.5), seed=5)
        for number in range(5):
            street.text(f"a-{number}", to=f"+86138001380{number:02d}" if number else PHONE)
        street.clock.advance(0 if polls == 1 else 1)
        street.live(30)
        told.append(
            sorted(
                (path.name, json.loads(path.read_text())["attempt"])
                for path in (street.spool / "in").glob("*-?-?.json")
            )
        )
    assert told[0] == told[1]


def test_another_seed_gives_another_behaviour(tmp_path: Path) -> None:
    told = set()
    for seed in range(5):
        street = Street(tmp_path / str(seed), SILENT, seed=seed)
        street.text("a-1", segments=6)
        street.live(10)
        told.add(tuple(report.part for report in street.reports()))
    assert len(told) > 1
