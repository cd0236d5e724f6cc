"""A store on disk with a directory to import into, and a way to look at all of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from tests.fakes.clock import HandClock
from tests.stores import store_url
from warnd.intake.importing.door import Door
from warnd.intake.importing.run import import_aliases, import_recipients, import_regions
from warnd.intake.importing.summary import Options, Summary
from warnd.ledger.store import open_engine, upgrade

TABLES = ("meta", "region", "region_alias", "recipient", "recipient_version", "seat")
KEY = "A" * 43
COUNTY = """code,name,tier,parent,lat,lon,population
990101,清河县,county,,30.0,120.0,
990101001,东镇,township,,30.1,120.1,900
990101001001,一村,village,,30.11,120.11,300
990101001002,二村,village,,30.12,120.12,200
990101002,西镇,township,,30.2,119.9,
990101002001,三村,village,,30.21,119.91,
"""
PEOPLE = f"""id,kind,name,region,roles,lang,phone,email,lat,lon,public_key
li,person,李,990101001001,information_officer;deputy_officer@990101001002,zh,13800138000,li@example.org,,,
wang,person,王,990101001,township_leader,zh,+8613900139000,,,,
h1,household,赵家,990101001001,,,13700137000,,30.111,120.111,
T-1,terminal,喇叭一,990101001001,,,,,,,{KEY}
"""


class Register:
    """One store in a folder."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self.folder = folder
        self.clock = HandClock()
        self.url = url or store_url(folder, "register")
        upgrade(self.url)
        self._reading = open_engine(self.url, begin="BEGIN")
        self._writing = open_engine(self.url)

    def close(self) -> None:
        self._reading.dispose()
        self._writing.dispose()

    def door(self, token: str = "this") -> Door:
        return Door(self._reading, self._writing, clock=self.clock, token=token)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self._reading.connect() as conn, conn.begin():
            yield conn

    def execute(self, statement: str, **values: Any) -> None:
        with self._writing.begin() as conn:
            conn.execute(text(statement), values)

    def file(self, content: str | bytes, name: str = "file.csv") -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def regions(self, content: str | bytes = COUNTY, *, name: str = "regions.csv", **options: Any) -> Summary:
        return import_regions(self.file(content, name), door=self.door(), options=Options(**options))

    def recipients(self, content: str | bytes = PEOPLE, **options: Any) -> Summary:
        path = self.file(content, "recipients.csv")
        return import_recipients(path, door=self.door(), options=Options(**options), language="zh")

    def aliases(self, content: str | bytes, **options: Any) -> Summary:
        return import_aliases(self.file(content, "aliases.csv"), door=self.door(), options=Options(**options))

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return every row of every table of the directory."""
        with self.reading() as conn:
            return {
                table: sorted((tuple(row) for row in conn.execute(text(f"SELECT * FROM {table}"))), key=repr)
                for table in TABLES
            }

    def seen(self) -> list[tuple[Any, ...]]:
        """Return what readers see of regions and recipients now, without numbers and revisions."""
        with self.reading() as conn:
            regions = [tuple(row) for row in conn.execute(text(_REV + _REGIONS))]
            seats: dict[int, list[str]] = {}
            for no, seat in conn.execute(
                text("SELECT version_no, role || '@' || region FROM seat ORDER BY role, region")
            ):
                seats.setdefault(no, []).append(seat)
            people = [
                (*row[1:], ",".join(seats[row.no]) if row.no in seats else None)
                for row in conn.execute(text(_REV + _RECIPIENTS))
            ]
            return sorted(regions + people, key=repr)


_REV = "WITH rev(no) AS (SELECT coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'directory_rev'), 0)) "
_REGIONS = "SELECT code, name, names, tier, parent, path, lat, lon, population, shape FROM region r, rev WHERE r.from_rev <= rev.no"
_RECIPIENTS = (
    "SELECT v.no, c.id, v.kind, v.name, v.region, v.lang, v.phone, v.email, v.lat, v.lon, v.public_key "
    "FROM recipient c JOIN recipient_version v ON v.recipient_no = c.no, rev "
    "WHERE v.from_rev <= rev.no AND (v.to_rev IS NULL OR v.to_rev > rev.no)"
)


@contextmanager
def opened(folder: Path) -> Iterator[Register]:
    """Give a register, closed at the end."""
    register = Register(folder)
    try:
        yield register
    finally:
        register.close()


def causes(summary: Summary) -> list[str]:
    """Return "place: cause" of every fault."""
    return [f"{each.place}: {each.cause}" for each in summary.problems]
