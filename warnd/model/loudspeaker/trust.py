"""A terminal's trust file: which keys may command it, under which root, for which regions, until when (DESIGN §9)."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from warnd.model.loudspeaker.fields import Fields, FormatError, read_object, time_text
from warnd.model.loudspeaker.keys import KeyFileError, kid_of, parse_public_key, public_key_text
from warnd.model.loudspeaker.topics import ROOTS


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """One key that may command.

    Attributes:
        public_key: 32 raw bytes.
        root: The one root that it may sign for; this is what makes a key live or drill.
        regions: Unpadded prefixes of the regions that it may command; None = everywhere.
        not_after: Aware UTC after which it commands nothing; None = no end.
    """

    public_key: bytes
    root: str
    regions: tuple[str, ...] | None = None
    not_after: datetime | None = None

    @property
    def kid(self) -> str:
        """The id under which commands name this key."""
        return kid_of(self.public_key)


Trust = Mapping[str, TrustedKey]


def trust_of(keys: Iterable[TrustedKey]) -> Trust:
    """Return the keys by their `kid`."""
    return {key.kid: key for key in keys}


def trust_text(keys: Iterable[TrustedKey]) -> str:
    """Return the trust file's text: JSON `{kid: {public_key, root, regions, not_after}}`."""
    entries = {
        key.kid: {
            "public_key": public_key_text(key.public_key),
            "root": key.root,
            "regions": None if key.regions is None else list(key.regions),
            "not_after": None if key.not_after is None else time_text(key.not_after),
        }
        for key in keys
    }
    return json.dumps(entries, indent=2) + "\n"


def parse_trust(text: str | bytes) -> Trust:
    """Return the keys of a trust file.

    Raises:
        KeyFileError: It breaks the format, a kid does not belong to its key, or it holds no key.
    """
    try:
        found = read_object(text)
        entries = {kid: _entry(Fields(found, "").object_or_none(kid)) for kid in found}
    except FormatError as error:
        raise KeyFileError(f"trust file: {error}; print a new one with: warnd terminal keys trust") from error
    for kid, key in entries.items():
        if kid != key.kid:
            raise KeyFileError(
                f"trust file: entry {kid!r} holds the key {key.kid!r}; print a new one with: warnd terminal keys trust"
            )
    if not entries:
        raise KeyFileError(
            "trust file: holds no key, so no command could ever be obeyed; print one with: warnd terminal keys trust"
        )
    return entries


def load_trust(path: Path) -> Trust:
    """Return the keys of the trust file at `path`.

    Raises:
        KeyFileError: It cannot be read or used.
    """
    try:
        return parse_trust(path.read_bytes())
    except OSError as error:
        raise KeyFileError(
            f"{path}: cannot be read ({error.strerror}); print one with: warnd terminal keys trust > {path}"
        ) from error
    except KeyFileError as error:
        raise KeyFileError(f"{path}: {error}") from error


def _entry(fields: Fields | None) -> TrustedKey:
    if fields is None:
        raise FormatError("an entry is null")
    root = fields.text("root")
    if root not in ROOTS:
        raise FormatError(f"root is {root[:40]!r}, not {' or '.join(ROOTS)}")
    return TrustedKey(
        public_key=parse_public_key(fields.text("public_key")),
        root=root,
        regions=fields.labels_or_none("regions"),
        not_after=fields.time_or_none("not_after"),
    )
