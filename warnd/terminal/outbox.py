"""Receipts on their way to the daemon: numbered, signed, on disk until the daemon confirms them (DESIGN §9, §13).

It never decides what is reported. A receipt keeps its number, its time and its bytes however often it is sent, also after a restart.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from warnd.model.loudspeaker import DRILL_ROOT, LIVE_ROOT, Receipt, sign_receipt
from warnd.model.loudspeaker.fields import FormatError
from warnd.model.loudspeaker.jws import peek
from warnd.model.loudspeaker.receipt import read_receipt
from warnd.terminal.disk import Disk

RESEND_S: Final = 30.0  # DESIGN §13.
KEPT_CONFIRMED_MAX: Final = 2000

_FOLDER: Final = "receipts"
_OPEN: Final = ".jws"
_CONFIRMED: Final = ".done"
_TAGS: Final = {LIVE_ROOT: "live", DRILL_ROOT: "drill"}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """One receipt as it is sent.

    Attributes:
        name: Its file, without the suffix.
        confirmed: The daemon has it; it is kept only to answer a retry of its command.
        due: On the monotonic clock, when it is to be sent next; None = not.
        sent: It has been handed to a broker since this start.
    """

    name: str
    receipt: Receipt
    compact: str
    confirmed: bool
    due: float | None
    sent: bool = False


class Outbox:
    """All receipts of one terminal that somebody may still want."""

    def __init__(self, disk: Disk, key: Ed25519PrivateKey) -> None:
        self._disk = disk
        self._key = key
        self._kept: dict[tuple[str, str, int], Kept] = {}
        self._last_n: dict[tuple[str, str], int] = {}
        for suffix, confirmed in ((_CONFIRMED, True), (_OPEN, False)):
            for name, compact in disk.texts(_FOLDER, suffix=suffix):
                self._load(name, compact, confirmed=confirmed)
        oldest_first = sorted(self._kept.items(), key=lambda item: (item[1].receipt.at, item[0]))
        self._kept = dict(oldest_first)

    def _load(self, name: str, compact: str, *, confirmed: bool) -> None:
        try:
            receipt = read_receipt(peek(compact))
        except FormatError:
            self._disk.set_aside(name)
            return
        stem = name.rsplit(".", 1)[0]
        self._kept[_number(receipt)] = Kept(stem, receipt, compact, confirmed, None if confirmed else 0.0)

    def add(self, unnumbered: Receipt) -> Receipt:
        """Number, sign and keep a receipt; it is due at once.

        Args:
            unnumbered: Complete but for `n`, whose value is ignored.
        """
        count = (unnumbered.root, unnumbered.boot_id)
        receipt = replace(unnumbered, n=self._last_n.get(count, 0) + 1)
        self._last_n[count] = receipt.n
        name = f"{_FOLDER}/{_TAGS[receipt.root]}-{receipt.boot_id}-{receipt.n:08d}"
        kept = Kept(name, receipt, sign_receipt(receipt, self._key), confirmed=False, due=0.0)
        self._disk.write(name + _OPEN, kept.compact)
        self._kept[_number(receipt)] = kept
        return receipt

    def about(self, root: str, message_id: str, seq: int) -> Iterator[Receipt]:
        """Yield what is kept about one message, oldest first."""
        yield from (kept.receipt for kept in self._about(root, message_id, seq))

    def _about(self, root: str, message_id: str, seq: int) -> list[Kept]:
        wanted = (root, message_id, seq)
        return [kept for kept in self._kept.values() if _subject(kept.receipt) == wanted]

    def again(self, root: str, message_id: str, seq: int) -> None:
        """Make everything that is kept about one message due once more."""
        for kept in self._about(root, message_id, seq):
            self._kept[_number(kept.receipt)] = replace(kept, due=0.0)

    def all_again(self, roots: tuple[str, ...]) -> None:
        """Make everything unconfirmed due: the connection is new."""
        for number, kept in self._kept.items():
            if kept.receipt.root in roots and not kept.confirmed:
                self._kept[number] = replace(kept, due=0.0)

    def due(self, roots: tuple[str, ...], now: float) -> list[Kept]:
        """Return what is to be sent at `now` (monotonic), in the order in which it happened."""
        return [
            kept
            for kept in self._kept.values()
            if kept.receipt.root in roots and kept.due is not None and kept.due <= now
        ]

    def next_due(self, roots: tuple[str, ...]) -> float | None:
        """Return when (monotonic) something is to be sent next; None = nothing waits."""
        waits = [kept.due for kept in self._kept.values() if kept.receipt.root in roots and kept.due is not None]
        return min(waits, default=None)

    def sent(self, kept: Kept, now: float) -> None:
        """Note that a receipt has been handed to the broker at `now` (monotonic), which proves nothing yet."""
        number = _number(kept.receipt)
        current = self._kept.get(number)
        if current is not None:
            self._kept[number] = replace(current, due=None if current.confirmed else now + RESEND_S, sent=True)

    def confirm(self, root: str, boot_id: str, n: int) -> None:
        """Take the daemon's word that receipts 1..n of that boot and root are committed."""
        for number, kept in list(self._kept.items()):
            if number[:2] != (root, boot_id) or number[2] > n or kept.confirmed:
                continue
            if self._proves_first(kept):
                self._disk.rename(kept.name + _OPEN, kept.name + _CONFIRMED)
                self._kept[number] = replace(kept, confirmed=True, due=None)
            else:
                self._disk.remove(kept.name + _OPEN)
                del self._kept[number]
        self._prune()

    def _proves_first(self, kept: Kept) -> bool:
        """Return whether no earlier receipt says the same of the same message: enough to answer its retries."""
        receipt = kept.receipt
        if receipt.message_id is None or receipt.seq is None:
            return False
        same = [other for other in self._about(*_message(receipt)) if other.receipt.stage is receipt.stage]
        return same[0] is kept

    def _prune(self) -> None:
        confirmed = [number for number, kept in self._kept.items() if kept.confirmed]
        for number in confirmed[: max(0, len(confirmed) - KEPT_CONFIRMED_MAX)]:
            self._disk.remove(self._kept.pop(number).name + _CONFIRMED)


def _number(receipt: Receipt) -> tuple[str, str, int]:
    return receipt.root, receipt.boot_id, receipt.n


def _subject(receipt: Receipt) -> tuple[str, str | None, int | None]:
    return receipt.root, receipt.message_id, receipt.seq


def _message(receipt: Receipt) -> tuple[str, str, int]:
    assert receipt.message_id is not None
    assert receipt.seq is not None
    return receipt.root, receipt.message_id, receipt.seq
