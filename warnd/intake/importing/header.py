"""Which columns or properties a file may have."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from warnd.intake.importing.problem import Unreadable
from warnd.model.reason import shorten


@dataclass(frozen=True, slots=True)
class Header:
    """Columns by name.

    Attributes:
        needed: Must be there.
        optional: May be there.
        pattern: Also allowed, as a regular expression, and how to call it.
    """

    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()
    pattern: tuple[str, str] | None = None

    @property
    def example(self) -> str:
        """The columns in the order of the documentation."""
        return ",".join((*self.needed, *self.optional))

    def knows(self, name: str) -> bool:
        """Say whether a column of that name is allowed."""
        return (
            name in self.needed
            or name in self.optional
            or (self.pattern is not None and re.fullmatch(self.pattern[0], name) is not None)
        )

    def names(self, found: Sequence[str], *, line: int = 1) -> list[str]:
        """Return the names as found.

        Raises:
            Unreadable: One is unknown, stands twice, or is missing.
        """
        for name in found:
            if not self.knows(name):
                raise Unreadable(line=line, cause=f"unknown column '{shorten(name)}'", fix=f"Known: {self.known}.")
            if found.count(name) > 1:
                raise Unreadable(line=line, cause=f"column '{name}' stands twice", fix="Keep one of them.")
        missing = [name for name in self.needed if name not in found]
        if missing:
            raise Unreadable(line=line, cause=f"missing column {', '.join(missing)}", fix=f"Known: {self.known}.")
        return list(found)

    @property
    def known(self) -> str:
        """All that is allowed, in words."""
        also = (self.pattern[1],) if self.pattern else ()
        return ", ".join((*self.needed, *self.optional, *also))
