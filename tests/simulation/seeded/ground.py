"""The ground of a scenario: a county of a few villages, made once for each process and copied for each seed; settings, plans, time."""

import sqlite3
import tempfile
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random

from sqlalchemy import Engine

from tests.fakes.loudspeaker import key
from tests.fakes.manual_clock import ManualClock
from tests.simulation.county import COUNTY, TOWNSHIPS, VILLAGES, found, with_drills
from tests.simulation.virtual import START, LoopClock
from warnd.clock import Clock
from warnd.daemon import Files, read_files
from warnd.intake.importing.door import Door
from warnd.intake.importing.run import import_recipients
from warnd.intake.importing.summary import Options
from warnd.ledger.store import open_engine
from warnd.model.authority import Authority
from warnd.model.loudspeaker import public_key_text
from warnd.settings import Settings, load

COUNTIES = 12  # How many different ones there are.
PLACES = (COUNTY, *TOWNSHIPS, *VILLAGES[:2], *VILLAGES[3:5])
INHABITED = (*VILLAGES[:2], VILLAGES[3])
SUPERIOR = "province@qinghe.example"
STRANGER = "stranger@elsewhere.example"
_COLUMNS = "id,kind,name,region,roles,lang,phone,email,lat,lon,public_key"
_CONFIG = """
node.languages = ["zh", "en"]
store.url = "sqlite:///warnd.sqlite"
sms.spool.dir = "spool"
plans_file = "{plans}"
"""


class WallClock(LoopClock):
    """The clock of every daemon of a scenario: its wall time can be set and run fast or slow, its monotonic time only goes on.

    Attributes:
        ahead: What it was set ahead by so far; negative = back.
        drift: Seconds that it gains in each second.
    """

    ahead = timedelta(0)
    drift = 0.0

    def now(self) -> datetime:
        """Return what the wall clock shows."""
        return super().now() + self.ahead + timedelta(seconds=self.drift * self.monotonic())


def people_of(variant: int, *, later: bool = False) -> str:
    """Return the recipients of a county: some without an address, some sharing one; `later` = as somebody has changed them since."""
    dice = Random(f"county {variant}")  # A text, so that neighbouring numbers give unlike counties.
    rows = [_COLUMNS, *_leaders(dice)]
    for number, code in enumerate(INHABITED):
        rows += [*_officers(dice, number, code), *_terminal(dice, number, code), *_homes(dice, number, code)]
    return "\n".join(_changed(rows, dice) if later else rows) + "\n"


def _leaders(dice: Random) -> list[str]:
    mail = "chief@qinghe.example" if dice.random() < 0.5 else ""
    rows = [f"chief,person,钱,{COUNTY},county_leader,en,13500000000,{mail},,,"]
    if dice.random() < 0.7:
        rows.append(f"leader-1,person,赵,{TOWNSHIPS[0]},township_leader,zh,13600000001,,,,")
    return rows


def _officers(dice: Random, number: int, code: str) -> list[str]:
    phone = dice.choice(
        [f"1380000{number:04d}", f"1380000{number:04d}", "13800009999", ""]
    )  # Some share one, some have none.
    mail = f"officer{number}@qinghe.example" if dice.random() < 0.6 else ""
    also = f";information_officer@{INHABITED[0]}" if dice.random() < 0.2 else ""
    rows = []
    if dice.random() < 0.85:
        rows.append(f"officer-{number},person,王{number},{code},information_officer{also},zh,{phone},{mail},,,")
    if dice.random() < 0.5:
        rows.append(f"deputy-{number},person,李{number},{code},deputy_officer,en,1390000{number:04d},,,,")
    return rows


def _terminal(dice: Random, number: int, code: str) -> list[str]:
    if dice.random() < 0.3:
        return []
    return [f"term-{code},terminal,大喇叭{number},{code},,zh,,,,,{public_key_text(key(100 + number))}"]


def _homes(dice: Random, number: int, code: str) -> list[str]:
    def home(which: int) -> str:
        mail = f"home{number}{which}@qinghe.example" if dice.random() < 0.3 else ""
        return f"home-{number}-{which},household,户{which},{code},,zh,1370{number:03d}{which:04d},{mail},,,"

    return [home(which) for which in range(dice.randrange(3))]


def _changed(rows: list[str], dice: Random) -> list[str]:
    """Move a household away, give an officer another number, and let somebody new move in."""
    kept = [row for row in rows if not row.startswith("home-0-0,")]
    kept = [row.replace("13800000001", "13800007777") for row in kept]
    return [*kept, f"home-new,household,新户,{dice.choice(INHABITED)},,zh,13700007777,,,,"]


@cache
def image_of(variant: int) -> bytes:
    """Return the store of a county into which everybody was imported, as the bytes of a SQLite file."""
    with tempfile.TemporaryDirectory(prefix="warnd-seeds-") as place:
        folder = Path(place)
        found(
            f"sqlite:///{folder / 'county.sqlite'}",
            folder,
            clock=ManualClock(START),
            recipients=people_of(variant),
        )
        conn = sqlite3.connect(folder / "county.sqlite")
        conn.execute("PRAGMA journal_mode=DELETE")  # A log beside the file could not go into memory.
        image = conn.serialize()
        conn.close()
    return image


def store_of(variant: int) -> Engine:
    """Return a store of its own in memory, a copy of the county's. Always SQLite: a seed must cost next to nothing."""
    engine = open_engine("sqlite:///:memory:")
    engine.raw_connection().driver_connection.deserialize(image_of(variant))  # type: ignore[union-attr]  # It is sqlite3's.
    return engine


def change_people(engine: Engine, variant: int, *, clock: Clock) -> str:
    """Import the changed directory into a running store, as an operator does; return what changed in words."""
    door = Door(engine, engine, clock=clock, token=f"import at {clock.monotonic()}")
    with tempfile.TemporaryDirectory(prefix="warnd-seeds-") as place:
        people = Path(place) / "people.csv"
        people.write_text(people_of(variant, later=True), encoding="utf-8")
        summary = import_recipients(people, door=door, options=Options(prune=True), language="zh")
    assert summary.problems.total == 0, summary
    return f"{summary.new} new, {summary.changed} changed, {summary.removed} removed"


@cache
def settings_and_files() -> tuple[Settings, Files]:
    """Return what every daemon of every scenario is set to, read once."""
    with tempfile.TemporaryDirectory(prefix="warnd-seeds-") as place:
        folder = Path(place)
        config = folder / "warnd.toml"
        plans = Path(__file__).with_name("plans.toml")
        config.write_text(_CONFIG.format(plans=plans) + with_drills(folder), encoding="utf-8")
        settings = load(config, {})
        files = read_files(settings)
    authority = Authority(superiors={"flood@qinghe.example": frozenset({SUPERIOR})})
    return settings, replace(files, authority=authority)
