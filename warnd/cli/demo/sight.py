"""One look at the daemon: what it says of the warning, beside the truth."""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from warnd.cli.client import Api, must
from warnd.cli.demo.cast import CONFIRMED, Cast, Comparison, compare
from warnd.cli.demo.county import County
from warnd.cli.words import named, totals

_ALL = 1000  # Villages a page: more than the county has.


@dataclass(frozen=True, slots=True)
class Sight:
    """What the daemon said at one moment.

    Attributes:
        reasons: Village code -> why it is not confirmed.
        elapsed_s: Since the release, by the daemon's own clock.
        seconds: "p50" and "p90" -> whole seconds from the release; None = not yet.
    """

    warning: Mapping[str, Any]
    reasons: Mapping[str, str]
    details: Mapping[str, str]
    elapsed_s: float
    seconds: Mapping[str, int | None]

    @property
    def targeted(self) -> int:
        """How many villages the daemon targeted."""
        return int(self.warning["totals"]["villages"]["targeted"])

    @property
    def planned(self) -> bool:
        """True once every village is known."""
        return bool(self.warning["totals"]["planned"])

    def beside(self, truth: Mapping[str, str]) -> Comparison:
        """Compare with the truth, village by village."""
        return compare(truth, unconfirmed=self.reasons, targeted=self.targeted)


async def look(api: Api, warning_id: str) -> Sight:
    """Ask the daemon over HTTP, as anybody would."""
    path = f"/api/v1/warnings/{warning_id}"
    warning = must(await asyncio.to_thread(api.get, path))
    coverage = must(await asyncio.to_thread(api.get, f"{path}/coverage", {"limit": _ALL}))
    return Sight(
        warning=warning,
        reasons={each["code"]: each["reason"] for each in coverage["unconfirmed"]},
        details={each["code"]: each.get("detail") or "" for each in coverage["unconfirmed"]},
        elapsed_s=(_time(coverage["at"]) - _time(warning["released_at"])).total_seconds(),
        seconds=coverage["confirmed_at"],
    )


def picture(sight: Sight) -> list[str]:
    """Return the moving picture."""
    counts: dict[str, int] = {}
    for reason in sight.reasons.values():
        counts[reason] = counts.get(reason, 0) + 1
    waiting = " | ".join(f"{reason} {count}" for reason, count in sorted(counts.items())) or "none"
    return [f"{sight.elapsed_s:5.1f} s  {named(sight.warning)}", *totals(sight.warning), f"Unconfirmed {waiting}"]


def result(sight: Sight, comparison: Comparison, *, county: County, last_s: float | None) -> list[str]:
    """Return the end of the story: who is confirmed, who is not and why, how long it took, what the daemon got wrong."""
    names = {village.code: f"{village.name} ({village.name_en})" for village in county.villages}
    lines = [f"{comparison.confirmed} of {sight.targeted} villages confirmed. Not confirmed:"]
    for code, reason in sight.reasons.items():
        detail = f" ({sight.details[code]})" if sight.details.get(code) else ""
        lines.append(f"  {code} {names.get(code, '?')}: {reason}{detail}")
    lines.append(_pace(sight, last_s))
    if not comparison.wrong:
        return [*lines, "Every village is confirmed or listed with its true reason."]
    lines.append(f"THE DAEMON'S WORD DIFFERS FROM THE TRUTH in {len(comparison.wrong)} cases:")
    return lines + [
        f"  {code} {names.get(code, '')}: truth {truth}, said {said}" for code, truth, said in comparison.wrong
    ]


def all_confirmed(sight: Sight, cast: Cast) -> bool:
    """Say whether every village that can be confirmed is."""
    return sight.planned and not any(cast.truth.get(code) == CONFIRMED for code in sight.reasons)


def _pace(sight: Sight, last_s: float | None) -> str:
    told = [
        f"{share} of the villages after {_seconds(sight.seconds.get(key))}"
        for share, key in (("50 %", "p50"), ("90 %", "p90"))
    ]
    return f"Confirmed: {', '.join(told)}, the last one after {_seconds(last_s)}."


def _seconds(value: float | None) -> str:
    return (
        "no time: not reached" if value is None else f"{math.ceil(value)} s"
    )  # The daemon rounds up, too; else the last village may come before the last but one.


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
