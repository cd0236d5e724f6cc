"""What a terminal reports: fills in receipts, and keeps a flood of refused commands from becoming a flood of receipts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from warnd.clock import Clock
from warnd.model.loudspeaker import Amplifier, Claim, Command, Receipt, Refused, Stage, Verb, Why
from warnd.terminal.chains import Known
from warnd.terminal.identity import Identity
from warnd.terminal.outbox import Outbox
from warnd.terminal.timekeeping import Timekeeper

REFUSALS_BURST: Final = 20
REFUSAL_EVERY_S: Final = 30.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Subject:
    """The command that a receipt answers; all but the root may be None."""

    root: str
    message_id: str | None
    seq: int | None
    nonce: str | None

    @classmethod
    def of(cls, command: Command) -> "Subject":
        """Return the subject of receipts about a command."""
        return cls(command.root, command.message_id, command.seq, command.nonce)

    @classmethod
    def of_known(cls, known: Known) -> "Subject":
        """Return the subject of receipts about what is known of a chain."""
        nonce = None if known.play is None else known.play.nonce
        return cls(known.root, known.message_id, known.seq, nonce)


class Reports:
    """Writes receipts into the outbox.

    Args:
        volume: Returns the volume that is set, 0..100.
        amplifier: Returns what is known of the amplifier now.
    """

    def __init__(
        self,
        identity: Identity,
        outbox: Outbox,
        *,
        clock: Clock,
        time: Timekeeper,
        volume: Callable[[], int],
        amplifier: Callable[[], Amplifier],
    ) -> None:
        self._identity = identity
        self._outbox = outbox
        self._clock = clock
        self._time = time
        self._volume = volume
        self._amplifier = amplifier
        self._refusals: dict[tuple[str, Why | None, Verb | None], _Bucket] = {}

    def tell(
        self,
        subject: Subject,
        stage: Stage,
        *,
        reason: Why | None = None,
        passes: int = 0,
        played_ms: int = 0,
        volume: int | None = None,
        amplifier: Amplifier | None = None,
    ) -> None:
        """Report one stage of one command, as of now."""
        receipt = self._outbox.add(
            Receipt(
                root=subject.root,
                terminal=self._identity.terminal,
                boot_id=self._identity.boot_id,
                n=0,
                stage=stage,
                at=self._time.stamp(),
                message_id=subject.message_id,
                seq=subject.seq,
                nonce=subject.nonce,
                pass_done=passes,
                played_ms=played_ms,
                volume=self._volume() if volume is None else volume,
                amplifier=self._amplifier() if amplifier is None else amplifier,
                reason=reason,
            )
        )
        _log.info(
            "reported", n=receipt.n, stage=str(stage), message_id=subject.message_id, seq=subject.seq, reason=reason
        )

    def refuse(self, root: str, claim: Claim, refused: Refused) -> None:
        """Report a refused command, named by what it says of itself.

        Each kind of refusal is reported twenty times in a row and then once in 30 s: an `ack` that is itself refused would otherwise be
        reported, acknowledged, refused and reported for ever.
        """
        _log.warning(
            "refused", reason=refused.reason, cause=refused.cause, message_id=claim.message_id, verb=claim.verb
        )
        bucket = self._refusals.setdefault((root, refused.reason, claim.verb), _Bucket())
        if bucket.take(self._clock.monotonic()):
            subject = Subject(root, claim.message_id, claim.seq, claim.nonce)
            self.tell(subject, Stage.FAILED, reason=refused.reason)


class _Bucket:
    """A token bucket on the monotonic clock."""

    def __init__(self) -> None:
        self._tokens = float(REFUSALS_BURST)
        self._at: float | None = None

    def take(self, now: float) -> bool:
        """Take one token if there is one."""
        passed = 0.0 if self._at is None else now - self._at
        self._at = now
        self._tokens = min(float(REFUSALS_BURST), self._tokens + passed / REFUSAL_EVERY_S)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
