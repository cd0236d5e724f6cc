"""The invented people and loudspeakers of the county, as rows of `recipients.csv`. Every number is one that no network can have."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random

from warnd.cli.demo.cast import Cast, Officer
from warnd.cli.demo.county import County, Region

COLUMNS = ("id", "kind", "name", "region", "roles", "lang", "phone", "email", "lat", "lon", "public_key")
_HOUSEHOLDS = 25  # In each village.
_VILLAGE_ROLES = ("information_officer", "deputy_officer", "rescue_team", "rescue_team")
_TOWNSHIP_ROLES = ("township_leader", "duty_leader", "duty_officer", "duty_officer", "rescue_team")
_COUNTY_ROLES = (
    *("county_leader",) * 3,
    *("duty_leader",) * 2,
    *("duty_officer",) * 4,
    *("media",) * 3,
    *("rescue_team",) * 8,
)
_FAMILY = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨"
_GIVEN = ("安", "宁", "远", "岚", "新禾", "若川", "望舒", "知夏", "思源", "明砚", "清和", "长青")


@dataclass(frozen=True, slots=True)
class Recipient:
    """One row; `phone`, `email` or `public_key` is "" where there is none."""

    id: str
    kind: str
    name: str
    region: str
    roles: str = ""
    lang: str = "zh"
    phone: str = ""
    email: str = ""
    public_key: str = ""

    def row(self) -> dict[str, str]:
        """Return the row as `warnd import recipients` reads it; columns without a value are left out."""
        return {name: value for name in COLUMNS if (value := getattr(self, name, ""))}


def invent_people(county: County, cast: Cast, *, random: Random) -> list[Recipient]:
    """Return about 600 responsible persons and 3,000 households."""
    phones = (f"+999{number:08d}" for number in count(10_000_001))  # No country has the code 999 (ITU-T E.164 list).
    people: list[Recipient] = []
    for region, roles in _offices(county):
        for place, role in enumerate(roles):
            unlisted = role == "information_officer" and cast.parts[region.code].officer is Officer.UNLISTED
            phone = "" if unlisted else next(phones)
            name = random.choice(_FAMILY) + random.choice(_GIVEN)
            lang = "en" if random.random() < 0.05 else "zh"  # noqa: PLR2004 - one in twenty reads English
            email = (
                f"{region.code}@chengchuan.example"
                if role == "information_officer" and reads_mail(cast, region)
                else ""
            )
            people.append(
                Recipient(f"{role}-{region.code}-{place}", "person", name, region.code, role, lang, phone, email)
            )
    for village in county.villages:
        for number in range(_HOUSEHOLDS):
            home = f"household-{village.code}-{number:02d}"
            people.append(
                Recipient(home, "household", f"{village.name}{number + 1}号", village.code, phone=next(phones))
            )
    return people


def reads_mail(cast: Cast, village: Region) -> bool:
    """Say whether a village's officer reads mail: about one in three of those who answer at all."""
    return cast.parts[village.code].officer is Officer.ANSWERS and sum(map(int, village.code)) % 3 == 0


def _offices(county: County) -> Iterator[tuple[Region, tuple[str, ...]]]:
    yield county.county, _COUNTY_ROLES
    for township in county.townships:
        yield township, _TOWNSHIP_ROLES
    for number, village in enumerate(county.villages):
        yield village, (*_VILLAGE_ROLES, "school_head") if number % 2 else _VILLAGE_ROLES


def speaker_ids(cast: Cast) -> dict[str, list[str]]:
    """Return village code -> the ids of its loudspeakers, in the order of its part's speakers."""
    return {code: [f"speaker-{code}-{n + 1}" for n in range(len(part.speakers))] for code, part in cast.parts.items()}


def speakers(county: County, cast: Cast, *, public_keys: Mapping[str, str]) -> list[Recipient]:
    """Return the loudspeakers as recipients; `public_keys` is id -> base64url text."""
    names = {village.code: village.name for village in county.villages}
    return [
        Recipient(one, "terminal", f"{names[code]}大喇叭", code, public_key=public_keys[one])
        for code, ids in speaker_ids(cast).items()
        for one in ids
    ]


def write_csv(path: Path, recipients: list[Recipient]) -> None:
    """Write `recipients.csv` (DESIGN §10)."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(recipient.row() for recipient in recipients)
