"""Region codes, tiers and paths: how places nest.

National codes are digits that nest by prefix 2/4/6/9/12 (DESIGN §3); every other code stands as imported and nests by its parent alone.
A path is "/<outermost>/…/<code>/". Codes never hold a slash, so a subtree is one range of paths in byte order.
"""

from dataclasses import dataclass

TIERS = ("province", "city", "county", "township", "village")
"""Outermost first."""

_LENGTHS = (2, 4, 6, 9, 12)
_FULL = _LENGTHS[-1]


def is_national(code: str) -> bool:
    """Say whether the code, padded or not, is a national one: 2, 4, 6, 9 or 12 digits."""
    return len(code) in _LENGTHS and code.isascii() and code.isdigit()


def stored_code(code: str) -> str:
    """Return the code as the ledger and the topics have it: national ones padded with zeros to 12 digits (DESIGN §13)."""
    return code.ljust(_FULL, "0") if is_national(code) else code


def prefix(code: str) -> str:
    """Return the code without its padding ("330100000000" is "3301"), the form of a command's `regions` (DESIGN §13)."""
    if not is_national(code):
        return code
    full = stored_code(code)
    return next(full[:length] for length in _LENGTHS if full[length:].strip("0") == "")


def national_ancestors(code: str) -> tuple[str, ...]:
    """Return the stored codes above a national one by its digits, nearest first; () for other codes."""
    if not is_national(code):
        return ()
    short = prefix(code)
    return tuple(stored_code(short[:length]) for length in reversed(_LENGTHS) if length < len(short))


def rank(tier: str) -> int:
    """Return 0 for a province … 4 for a village.

    Raises:
        ValueError: There is no such tier.
    """
    return TIERS.index(tier)


def child_path(parent_path: str | None, code: str) -> str:
    """Return the path of `code` under a parent's path, or of an outermost region."""
    return f"{parent_path or '/'}{code}/"


def path_codes(path: str) -> tuple[str, ...]:
    """Return the codes along a path, outermost first, its own last."""
    return tuple(path.strip("/").split("/"))


def code_of(path: str) -> str:
    """Return the code of the region at a path."""
    return path.rsplit("/", 2)[1]


def paths_above(path: str) -> tuple[str, ...]:
    """Return the paths of the region and of everything around it, outermost first."""
    return tuple(path[: end + 1] for end, sign in enumerate(path) if sign == "/" and end)


def subtree(path: str) -> tuple[str, str]:
    """Return (low, high): the region and all below it are `low <= path AND path < high`, compared by bytes."""
    return path, path[:-1] + "0"  # "0" is the character after "/".


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """Whom this node may message: the subtrees of some regions, or everybody.

    Attributes:
        paths: Paths of the regions it is responsible for.
        prefixes: Unpadded national codes of those that are not in the directory. What is imported below them is known by
            its digits only; a node that holds a county need not hold its province.
        everywhere: No limit is set.
    """

    paths: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    everywhere: bool = False

    def covers(self, path: str) -> bool:
        """Say whether the region at `path` lies within."""
        if self.everywhere or path.startswith(self.paths):
            return True
        return bool(self.prefixes) and any(is_national(c) and c.startswith(self.prefixes) for c in path_codes(path))

    def within(self, path: str) -> tuple[str, ...]:
        """Return the paths of its own regions that lie below `path`: what a warning for a wider region means here."""
        return tuple(own for own in self.paths if own.startswith(path) and own != path)
