"""How the regions of a file nest, together with those that stay in the directory: parents found, circles and wrong tiers named, paths made.

Only regions above villages are kept in memory; villages are placed one by one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from warnd.intake.importing.problem import Problem
from warnd.intake.importing.regions import RegionEntry
from warnd.ledger.enrolment.regions import RegionFacts, Upper
from warnd.model.region import TIERS, child_path, national_ancestors, rank

_FAR = 10.0  # Degrees: no village is so far from its township, nor a county from its province.


@dataclass(slots=True)
class _Node:
    tier: str
    parent: str | None
    lat: float | None
    lon: float | None
    line: int | None  # None = not in the file
    path: str | None = None
    stood: str | None = None  # Its path in the directory, if it is there and not in the file.


class Tree:
    """The regions above the villages: fill it, `settle` it once, then place entries in it."""

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._doubted: set[str] = set()
        self.demoted: list[str] = []  # Regions of the directory that the file makes villages.

    def add(self, entry: RegionEntry, *, line: int) -> None:
        """Take in a region of the file; of two with one code the first stays."""
        if entry.tier != TIERS[-1]:
            self._nodes.setdefault(entry.code, _Node(entry.tier, entry.parent or None, entry.lat, entry.lon, line))

    def doubt(self, code: str) -> None:
        """Know of a region of the file whose row has faults of its own: what lies in it is not called lost."""
        self._doubted.add(code)

    def keep(self, upper: Upper, *, in_file: bool) -> None:
        """Take in a region of the directory; one that the file has too only leaves its old path."""
        if not in_file:
            self._nodes[upper.code] = _Node(upper.tier, upper.parent, upper.lat, upper.lon, None, stood=upper.path)
        elif upper.code in self._nodes:
            self._nodes[upper.code].stood = upper.path
        else:
            self.demoted.append(upper.code)

    def settle(self) -> None:
        """Find every parent and make every path that can be made; provinces first, so that a parent's path is there."""
        for code, node in self._nodes.items():
            if node.parent is None and node.line is not None:
                node.parent = self._nearest(code)
        for code, node in sorted(self._nodes.items(), key=lambda pair: rank(pair[1].tier)):
            node.path = self._path(code, node.tier, node.parent)

    def place(self, entry: RegionEntry) -> RegionFacts | None:
        """Return the entry with parent and path, or None if it has no sound place."""
        parent = entry.parent or self._nearest(entry.code)
        path = self._path(entry.code, entry.tier, parent)
        if path is None:
            return None
        return RegionFacts(**{**entry._asdict(), "parent": parent, "path": path})

    def fault(self, entry: RegionEntry, *, line: int, feature: int | None) -> Problem | None:
        """Return what is wrong with the entry's place; None also where only a region further up has a fault."""
        parent = entry.parent or self._nearest(entry.code)
        found = self._parent_fault(entry.code, entry.tier, parent) if parent else None
        if found is None and parent in self._nodes and _swapped(entry, self._nodes[parent]):
            found = ("lat", f"lat and lon look swapped: the other way round it lies near {parent}", "Swap them.")
        return Problem(line, feature, *found) if found else None

    def standing_faults(self) -> Iterator[Problem]:
        """Yield which regions the file does not have, but leaves without a sound place."""
        for code, node in self._nodes.items():
            if node.line is None and node.parent is not None:
                found = self._parent_fault(code, node.tier, node.parent)
                if found:
                    yield Problem(None, None, None, f"{node.tier} {code}: {found[1]}", "Put it into the file too.")

    def shifted(self) -> Iterator[tuple[str, str, bool]]:
        """Yield (code, new path, whether the file has it) of directory regions whose path changes."""
        for code, node in self._nodes.items():
            if node.stood and node.path and node.stood != node.path:
                yield code, node.path, node.line is not None

    def _nearest(self, code: str) -> str | None:
        return next((above for above in national_ancestors(code) if above in self._nodes), None)

    def _path(self, code: str, tier: str, parent: str | None) -> str | None:
        if parent is None:
            return child_path(None, code)
        above = self._nodes.get(parent)
        if above is None or above.path is None or rank(tier) <= rank(above.tier):
            return None
        return child_path(above.path, code)

    def _parent_fault(self, code: str, tier: str, parent: str) -> tuple[str, str, str] | None:
        if parent in self._doubted:
            return None
        above = self._nodes.get(parent)
        if above is None:
            return (
                "parent",
                f"{parent} is no region above a village, here or in the directory",
                "Correct it or add that region.",
            )
        circle = self._circle(code)
        if circle:
            return ("parent", f"the parents form a circle: {' > '.join(circle)}", "Correct one of them.")
        if rank(tier) <= rank(above.tier):
            return ("tier", f"a {tier} cannot lie in {parent}, a {above.tier}", f"Order: {', '.join(TIERS)}.")
        return None

    def _circle(self, code: str) -> list[str]:
        """Return the codes from this region up and round to it again, or nothing."""
        seen, at = [code], self._nodes[code].parent if code in self._nodes else None
        while at is not None and at in self._nodes and at not in seen:
            seen.append(at)
            at = self._nodes[at].parent
        return [*seen, code] if at == code else []


def _swapped(entry: RegionEntry, above: _Node) -> bool:
    if entry.lat is None or entry.lon is None or above.lat is None or above.lon is None:
        return False
    as_is = max(abs(entry.lat - above.lat), abs(entry.lon - above.lon))
    other = max(abs(entry.lon - above.lat), abs(entry.lat - above.lon))
    return as_is > _FAR > other
