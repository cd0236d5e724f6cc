"""The directory of an invented county: enough villages that every test has its own, with its officer, deputy and loudspeaker.

Codes of 77 are given to nobody. Village number n lies in township one, at a point of its own; every village has its id, phones and
key computed from its number.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.outside.wire import public_text

VILLAGES = 240
PROVINCE, CITY, COUNTY = "770000000000", "770100000000", "770101000000"
TOWNSHIP = "770101101000"
LEADERS_TOWNSHIP = "770101102000"
FOREIGN_COUNTY, FOREIGN_TOWNSHIP, FOREIGN_VILLAGE = "770102000000", "770102101000", "770102101201"
HARBOUR, QUAY = "harbour-7", "harbour-7-quay"
LEADERS_VILLAGE = "770101102201"
TOWNSHIP_TERMINAL = "TW-101"


def key_of(name: str) -> Ed25519PrivateKey:
    """Return the private key that belongs to a name, the same in every run."""
    return Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest())


@dataclass(frozen=True)
class Village:
    """One village; its terminal is `terminal`, at the broker too."""

    number: int

    @property
    def code(self) -> str:
        return f"770101101{200 + self.number}"

    @property
    def terminal(self) -> str:
        return f"T-{self.number:03d}"

    @property
    def officer(self) -> str:
        return f"officer-{self.number:03d}"

    @property
    def officer_phone(self) -> str:
        return f"+86139000{self.number:05d}"

    @property
    def deputy(self) -> str:
        return f"deputy-{self.number:03d}"

    @property
    def deputy_phone(self) -> str:
        return f"+86137000{self.number:05d}"

    @property
    def point(self) -> tuple[float, float]:
        """Latitude, longitude."""
        return 35.0 + (self.number % 10) / 100, 110.0 + (self.number // 10) / 100

    @property
    def square(self) -> str:
        """A CAP polygon around the village's point and no other."""
        lat, lon = self.point
        ring = [(-1, -1), (-1, 1), (1, 1), (1, -1), (-1, -1)]
        return " ".join(f"{lat + north * 0.003:.4f},{lon + east * 0.003:.4f}" for north, east in ring)

    @property
    def key(self) -> Ed25519PrivateKey:
        return key_of(self.terminal)


def villages() -> Iterator[Village]:
    return (Village(number) for number in range(1, VILLAGES + 1))


REGIONS_HEAD = "code,name,tier,parent,lat,lon,population"
RECIPIENTS_HEAD = "id,kind,name,region,roles,lang,phone,email,lat,lon,public_key"


def regions_csv() -> str:
    rows = [
        f"{PROVINCE},清省,province,,,,",
        f"{CITY},清河市,city,{PROVINCE},,,",
        f"{COUNTY},清河县,county,{CITY},35.05,110.05,60000",
        f"{TOWNSHIP},柳河镇,township,{COUNTY},35.05,110.05,30000",
        f"{LEADERS_TOWNSHIP},石桥镇,township,{COUNTY},36.05,111.05,30000",
        f"{LEADERS_VILLAGE},桥头村,village,{LEADERS_TOWNSHIP},36.05,111.05,300",
        f"{FOREIGN_COUNTY},邻县,county,{CITY},37,112,1000",
        f"{FOREIGN_TOWNSHIP},邻镇,township,{FOREIGN_COUNTY},37,112,1000",
        f"{FOREIGN_VILLAGE},邻村,village,{FOREIGN_TOWNSHIP},37,112,1000",
        f"{HARBOUR},港区,township,{COUNTY},38,113,500",
        f"{QUAY},码头村,village,{HARBOUR},38,113,500",
    ]
    rows += [f"{v.code},柳{v.number}村,village,{TOWNSHIP},{v.point[0]},{v.point[1]},300" for v in villages()]
    return _csv(REGIONS_HEAD, rows)


def person(name: str, region: str, roles: str, phone: str, *, lang: str = "zh") -> str:
    return f"{name},person,{name},{region},{roles},{lang},{phone},,,,"


def terminal(name: str, region: str) -> str:
    return f"{name},terminal,{name},{region},,zh,,,,,{public_text(key_of(name))}"


def recipients_csv() -> str:
    rows = [
        person("leader-tw", LEADERS_TOWNSHIP, "township_leader", "+8613600000001"),
        person("leader-county", COUNTY, f"county_leader@{COUNTY}", "+8613600000002"),
        person("officer-bridge", LEADERS_VILLAGE, "information_officer", "+8613600000003"),
        person("leader-foreign", FOREIGN_COUNTY, "county_leader", "+8613600000004"),
        person("officer-foreign", FOREIGN_VILLAGE, "information_officer", "+8613600000005"),
        person("officer-quay", QUAY, "information_officer", "+8613600000006"),
        terminal("T-QUAY", QUAY),
        terminal("T-FOREIGN", FOREIGN_VILLAGE),
        terminal(TOWNSHIP_TERMINAL, TOWNSHIP),
    ]
    for village in villages():
        rows.append(person(village.officer, village.code, "information_officer", village.officer_phone))
        rows.append(terminal(village.terminal, village.code))
    return _csv(RECIPIENTS_HEAD, rows)


def terminal_ids() -> list[str]:
    return [village.terminal for village in villages()] + [TOWNSHIP_TERMINAL, "T-QUAY", "T-FOREIGN", "T-602", "T-603"]


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def _csv(head: str, rows: Sequence[str]) -> str:
    return "\n".join([head, *rows, ""])
