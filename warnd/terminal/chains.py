"""What the terminal knows of each chain: its newest version, whether that may sound, and how often it has (DESIGN §9).

Kept on disk, so that neither a power cut nor a broker makes a stopped warning speak again. It holds facts; the core decides.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from warnd.model.level import Level
from warnd.model.loudspeaker import DRILL_ROOT, Command, Refused, Trust, Verb, fingerprint, verify_command
from warnd.model.loudspeaker.fields import Fields, FormatError, time_text
from warnd.terminal.disk import Disk
from warnd.terminal.timekeeping import Life

CHAINS_MAX: Final = 2000
_FOLDER: Final = "chains"
_SUFFIX: Final = ".json"

ChainKey = tuple[str, str]  # (root, chain_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a play has come.

    Attributes:
        passes: Whole passes so far, all rounds.
        sounded: Those of them that left an amplifier not known to be at fault.
        in_round: Whole passes of the round under way.
        played_ms: Milliseconds of sound so far, broken passes included.
        due: On the monotonic clock, when the next pass may begin.
        due_at: The same as time, kept for the next start; None = at once, or the time was not known.
        failures: Tries in a row that brought no whole pass.
    """

    passes: int = 0
    sounded: int = 0
    in_round: int = 0
    played_ms: int = 0
    due: float = 0.0
    due_at: datetime | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The newest version of one chain.

    Attributes:
        fingerprint: Of the command, to tell a retry from another message under the same seq.
        silenced: A tombstone: this seq never sounds.
        ended: A play that has nothing more to do in this life.
        compact: The play as it was signed, to be verified again after a restart; None for a tombstone.
        play: The same, read; None for a tombstone.
    """

    root: str
    chain_id: str
    message_id: str
    seq: int
    fingerprint: str
    silenced: bool = False
    ended: bool = False
    compact: str | None = None
    play: Command | None = None
    life: Life | None = None
    progress: Progress = Progress()

    @property
    def key(self) -> ChainKey:
        """What it is known by."""
        return self.root, self.chain_id

    @property
    def open(self) -> bool:
        """Whether there is a play that may still sound."""
        return self.play is not None and not self.silenced and not self.ended

    @property
    def repeat(self) -> int:
        """Whole passes per round."""
        return 1 if self.play is None or self.play.repeat is None else self.play.repeat

    @property
    def whole(self) -> bool:
        """Whether a whole round has been heard."""
        return self.progress.sounded >= self.repeat

    @property
    def rank(self) -> tuple[bool, Level]:
        """What cuts in on whom: the smaller rank goes first; live before drill, then by level."""
        assert self.play is not None
        assert self.play.level is not None
        return self.root == DRILL_ROOT, self.play.level


def tombstone(command: Command) -> Known:
    """Return what is known of a chain after a stop."""
    return replace(_known(command), silenced=True)


def begun(command: Command, compact: str, life: Life) -> Known:
    """Return what is known of a chain whose play has just been taken."""
    return replace(_known(command), compact=compact, play=command, life=life)


def _known(command: Command) -> Known:
    assert command.chain_id is not None
    assert command.message_id is not None
    assert command.seq is not None
    return Known(
        root=command.root,
        chain_id=command.chain_id,
        message_id=command.message_id,
        seq=command.seq,
        fingerprint=fingerprint(command),
    )


class Chains:
    """All chains that the terminal has heard of, up to `CHAINS_MAX`."""

    def __init__(self, disk: Disk, trust: Trust) -> None:
        self._disk = disk
        self._trust = trust
        self._known: dict[ChainKey, Known] = {}
        for name, text in disk.texts(_FOLDER, suffix=_SUFFIX):
            self._load(name, text)

    def _load(self, name: str, text: str) -> None:
        try:
            known = _from_text(text, self._trust)
        except FormatError:
            self._disk.set_aside(name)
            return
        self._known[known.key] = known

    def get(self, root: str, chain_id: str | None) -> Known | None:
        """Return what is known of a chain."""
        return None if chain_id is None else self._known.get((root, chain_id))

    def all(self) -> Iterable[Known]:
        """Return what is known of every chain."""
        return tuple(self._known.values())

    def put(self, known: Known) -> bool:
        """Know this from now on; return whether it is on the disk."""
        self._known.pop(known.key, None)
        self._known[known.key] = known
        self._prune()
        return self._disk.write(_name(known), _to_text(known))

    def _prune(self) -> None:
        closed = [known for known in self._known.values() if not known.open]
        for known in closed[: max(0, len(self._known) - CHAINS_MAX)]:
            del self._known[known.key]
            self._disk.remove(_name(known))


def _name(known: Known) -> str:
    return f"{_FOLDER}/{'drill' if known.root == DRILL_ROOT else 'live'}-{known.chain_id}{_SUFFIX}"


def _to_text(known: Known) -> str:
    progress = known.progress
    return json.dumps(
        {
            "root": known.root,
            "chain_id": known.chain_id,
            "message_id": known.message_id,
            "seq": known.seq,
            "fingerprint": known.fingerprint,
            "silenced": known.silenced,
            "ended": known.ended,
            "passes": progress.passes,
            "sounded": progress.sounded,
            "in_round": progress.in_round,
            "played_ms": progress.played_ms,
            "due_at": None if progress.due_at is None else time_text(progress.due_at),
            "compact": known.compact,
        }
    )


def _from_text(text: str, trust: Trust) -> Known:
    """Return what a file says; a play whose key is no longer trusted has ended.

    Raises:
        FormatError: The file makes no sense.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise FormatError(str(error)) from error
    if not isinstance(found, dict):
        raise FormatError("no object")
    fields = Fields(found)
    compact = fields.text_or_none("compact")
    play = None if compact is None else _verified(compact, trust)
    known = Known(
        root=fields.text("root"),
        chain_id=fields.message_id("chain_id") or fields.text("chain_id"),
        message_id=fields.text("message_id"),
        seq=fields.integer("seq"),
        fingerprint=fields.text("fingerprint"),
        silenced=fields.boolean("silenced"),
        ended=fields.boolean("ended") or (compact is not None and play is None),
        compact=compact,
        play=play,
        progress=_progress(fields),
    )
    if play is None or play.expires_at is None:
        return known
    return replace(known, life=Life(play.expires_at, deadline=None))


def _verified(compact: str, trust: Trust) -> Command | None:
    try:
        command = verify_command(compact, trust)
    except Refused:
        return None
    return command if command.verb is Verb.PLAY else None


def _progress(fields: Fields) -> Progress:
    return Progress(
        passes=fields.integer("passes"),
        sounded=fields.integer("sounded"),
        in_round=fields.integer("in_round"),
        played_ms=fields.integer("played_ms"),
        due_at=fields.time_or_none("due_at"),
    )
