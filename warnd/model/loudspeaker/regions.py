"""Where a terminal stands: codes padded in topics and cut in `regions`, or, if they are not national, as imported.

Tells nothing about shapes or names: only how codes nest on the wire (DESIGN §13 Wire).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from warnd.model.loudspeaker.fields import is_label

NATIONAL_LENGTHS: Final = (
    2,
    4,
    6,
    9,
    12,
)  # Province, city, county, township, village (GB/T 2260 and the statistics codes).


def is_national(code: str) -> bool:
    """Return whether `code` is written as a national code: 2, 4, 6, 9 or 12 digits."""
    return code.isascii() and code.isdigit() and len(code) in NATIONAL_LENGTHS


def padded(code: str) -> str:
    """Return the code as topics carry it: "51" -> "510000000000"; other codes stand as imported."""
    return code.ljust(12, "0") if is_national(code) else code


def prefix(code: str) -> str:
    """Return the code as an entry of `regions`: "510000000000" -> "51", cut at 2, 4, 6, 9 digits; other codes stand."""
    if not is_national(code):
        return code
    whole = padded(code)
    return next((whole[:length] for length in NATIONAL_LENGTHS if not whole[length:].strip("0")), whole)


@dataclass(frozen=True, slots=True)
class Lineage:
    """A region and its ancestors, outermost first, the region itself last, all padded."""

    codes: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the lineage of `text`.

        Args:
            text: A national code, whose ancestors lie in its digits; or any codes, outermost first, with "/" between
                ("US/US-CO/US-CO-013"); one other code alone has no ancestors.

        Raises:
            ValueError: An empty code, or one that cannot stand in a topic.
        """
        codes = text.split("/")
        for code in codes:
            if not is_label(code):
                raise ValueError(f"{code!r} in {text!r} is no region code; write 510181102007 or outer/inner/own")
        if len(codes) == 1 and is_national(text):
            own = prefix(text)
            codes = [own[:length] for length in NATIONAL_LENGTHS if length <= len(own)]
        return cls(tuple(padded(code) for code in codes))

    @property
    def own(self) -> str:
        """The region itself."""
        return self.codes[-1]

    def under(self, regions: Iterable[str]) -> bool:
        """Return whether this region lies under one of the `regions` entries."""
        return any(self._under(prefix(entry)) for entry in regions)

    def _under(self, entry: str) -> bool:
        if is_national(self.own) and entry.isdigit():
            return self.own.startswith(entry)
        return entry in {prefix(code) for code in self.codes}
