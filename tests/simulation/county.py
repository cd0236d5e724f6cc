"""A small invented county for tests: two townships, six villages, and the people and loudspeakers in them."""

from pathlib import Path
from random import Random

from tests.fakes.loudspeaker import key
from warnd.clock import Clock
from warnd.intake.importing.door import Door
from warnd.intake.importing.run import import_recipients, import_regions
from warnd.intake.importing.summary import Options
from warnd.ledger.store import open_engine, upgrade
from warnd.model.loudspeaker import public_key_text

COUNTY = "519999000000"
TOWNSHIPS = ("519999101000", "519999102000")
VILLAGES = tuple(f"519999{township}{village}" for township in ("101", "102") for village in ("201", "202", "203"))

_BOTH_PORTS = """
[mqtt]
host = "127.0.0.1"
signing_key_file = "live.pem"
[mqtt.drill]
port = 8884
signing_key_file = "drill.pem"
"""
_REGIONS = """code,name,tier,parent,lat,lon,population,name_en
519999,清河县,county,,30.0,103.0,60000,Qinghe County
519999101,柳林镇,township,519999,30.05,103.05,20000,Liulin
519999102,石桥镇,township,519999,30.15,103.05,20000,Shiqiao
"""


def with_drills(folder: Path) -> str:
    """Return the settings of a centre that drills, too; the keys that they name are not read where wires are scripted."""
    for name in ("live.pem", "drill.pem"):
        (folder / name).write_text("not read here: nothing is signed", encoding="utf-8")
    return _BOTH_PORTS


def regions_csv() -> str:
    """Return the county's regions; villages lie on a small grid, so that polygons can tell them apart."""
    rows = [
        f"{code},{'柳林' if code[6:9] == '101' else '石桥'}{code[-1]}村,village,{code[:9]},"
        f"{30.05 + 0.1 * (code[6:9] == '102')},{103.0 + 0.02 * int(code[-1])},300,Village {code[6:9]}-{code[-1]}"
        for code in VILLAGES
    ]
    return _REGIONS + "\n".join(rows) + "\n"


def recipients_csv(
    *, households: int = 3, without_terminal: tuple[str, ...] = (), without_officer: tuple[str, ...] = ()
) -> str:
    """Return an officer, a deputy, a loudspeaker and some households for each village, and leaders above them."""
    rows = ["id,kind,name,region,roles,lang,phone,email,lat,lon,public_key"]
    for number, code in enumerate(VILLAGES):
        if code not in without_officer:
            rows.append(f"officer-{code},person,王{number},{code},information_officer,zh,1380000{number:04d},,,,")
        rows.append(f"deputy-{code},person,李{number},{code},deputy_officer,zh,1390000{number:04d},,,,")
        if code not in without_terminal:
            terminal = f"term-{code}"
            rows.append(f"{terminal},terminal,大喇叭{number},{code},,zh,,,,,{public_key_text(key(100 + number))}")
        rows += [
            f"home-{code}-{home},household,户{home},{code},,zh,1370{number:03d}{home:04d},,,,"
            for home in range(households)
        ]
    for number, code in enumerate(TOWNSHIPS):
        rows.append(f"leader-{code},person,赵{number},{code},township_leader,zh,1360000{number:04d},,,,")
    rows.append(f"chief,person,钱,{COUNTY},county_leader,en,13500000000,,,,")
    return "\n".join(rows) + "\n"


def found(url: str, folder: Path, *, clock: Clock, recipients: str | None = None, regions: str | None = None) -> None:
    """Make the store at `url` and bring the county in, the way an operator does."""
    upgrade(url)
    reading, writing = open_engine(url, begin="BEGIN"), open_engine(url)
    door = Door(reading, writing, clock=clock, token=f"{Random(1).getrandbits(64):x}")
    places, people = folder / "regions.csv", folder / "recipients.csv"
    places.write_text(regions or regions_csv(), encoding="utf-8")
    people.write_text(recipients or recipients_csv(), encoding="utf-8")
    for summary in (
        import_regions(places, door=door, options=Options()),
        import_recipients(people, door=door, options=Options(), language="zh"),
    ):
        assert summary.problems.total == 0, summary
    reading.dispose()
    writing.dispose()
