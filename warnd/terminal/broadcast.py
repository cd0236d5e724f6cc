"""What sounds at this moment: put on air, cut off, told about (DESIGN §9).

The player asks for the next pass and says how it went; the core orders silence. Receipts are written before the counts they prove: after a
crash a pass is played twice rather than never proved.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from warnd.model.loudspeaker import Amplifier, Command, Stage, Why
from warnd.terminal.chains import ChainKey, Chains, Known
from warnd.terminal.changes import Changes
from warnd.terminal.programme import Programme
from warnd.terminal.reports import Reports, Subject
from warnd.terminal.timekeeping import Timekeeper


@dataclass(frozen=True, slots=True)
class Cut:
    """An order to be silent at once; `reason` None = a stop was commanded."""

    reason: Why | None


@dataclass(slots=True)
class OnAir:
    """One pass under way.

    Attributes:
        known: The play as it was when the pass began; None for a test.
        cut: Set when the pass must end early.
        answers: Stops that are answered when it is silent.
    """

    command: Command
    known: Known | None
    cut: Cut | None = None
    answers: list[Subject] = field(default_factory=list)

    @property
    def key(self) -> ChainKey | None:
        """The chain that sounds; None for a test."""
        return None if self.known is None else self.known.key


class Broadcast:
    """One loudspeaker's air.

    Args:
        amplifier: Returns what is known of the amplifier now.
    """

    def __init__(
        self,
        chains: Chains,
        *,
        programme: Programme,
        reports: Reports,
        time: Timekeeper,
        changes: Changes,
        amplifier: Callable[[], Amplifier],
    ) -> None:
        self.air: OnAir | None = None
        self._chains = chains
        self._programme = programme
        self._reports = reports
        self._time = time
        self._changes = changes
        self._amplifier = amplifier
        self._test: Command | None = None

    # What the core orders.

    def cut(self, known: Known, reason: Why | None, *, answer: Subject | None = None) -> bool:
        """Order silence if this chain sounds; return whether it does.

        Args:
            known: The chain, in any version.
            reason: What the receipt will say; None for a stop.
            answer: A stop that is answered when it is silent.
        """
        if self.air is None or self.air.key != known.key:
            return False
        if answer is not None:
            self.air.answers.append(answer)
        self._cut_off(self.air, reason)
        return True

    def cut_in(self, known: Known) -> None:
        """A graver warning that has just come does not wait for the end of a lesser one's pass; its later rounds do."""
        if self.air is None or self.air.key == known.key:
            return
        if self.air.known is None or known.rank < self.air.known.rank:
            self._cut_off(self.air, Why.HIGHER_PRIORITY)

    def _cut_off(self, air: OnAir, reason: Why | None) -> None:
        if air.cut is None:
            air.cut = Cut(reason)
            self._changes.ring()

    def take_test(self, command: Command) -> bool:
        """Sound a test when silence allows; return False if something sounds or waits to sound."""
        if self.air is not None or self._test is not None or self._programme.due() is not None:
            return False
        self._test = command
        return True

    # What the player asks.

    def next(self) -> OnAir | None:
        """Put on air what sounds next and return it; None = silence for now."""
        self._end_expired()
        known = self._programme.due()
        if known is not None:
            assert known.play is not None
            self.air = OnAir(known.play, known)
        elif self._test is not None:
            self.air, self._test = OnAir(self._test, None), None
        return self.air

    def _end_expired(self) -> None:
        for known in self._programme.expired():
            if known.progress.played_ms == 0:
                self._reports.tell(Subject.of_known(known), Stage.FAILED, reason=Why.EXPIRED)
            self._chains.put(replace(known, ended=True))
            self._changes.ring()

    def idle_s(self) -> float:
        """Return for how long the player may sleep unless something changes."""
        return self._programme.idle_s()

    def time_left_s(self) -> float:
        """Return for how long what is on air may sound; infinite for a test."""
        known = self._current()
        if known is None or known.life is None:
            return math.inf
        return self._time.remaining_s(known.life)

    def _current(self) -> Known | None:
        """Return what is known of the play on air, unless another version or a stop has taken its place."""
        if self.air is None or self.air.known is None:
            return None
        known = self._chains.get(*self.air.known.key)
        return known if known is not None and known.open and known.seq == self.air.known.seq else None

    # What the player tells.

    def sounding(self, *, trouble: Why | None) -> None:
        """The first sound of the pass comes now; `trouble` = what had to be done otherwise than commanded."""
        self._tell(Stage.PLAYING, reason=trouble)
        self._changes.ring()

    def whole(self, played_ms: int) -> None:
        """The pass came to its end after `played_ms` of sound."""
        amplifier = self._amplifier()
        faulty = amplifier is Amplifier.FAULT
        self._tell(
            Stage.PLAYED, passes=1, played_ms=played_ms, reason=Why.AMPLIFIER if faulty else None, amplifier=amplifier
        )
        known = self._current()
        if known is not None:
            self._chains.put(self._programme.after_pass(known, played_ms, heard=not faulty))
        self._off_air()

    def cut_short(self, played_ms: int) -> None:
        """The pass was cut off, as ordered or because its life is over, after `played_ms` of sound."""
        assert self.air is not None
        reason = Why.EXPIRED if self.air.cut is None else self.air.cut.reason
        self._tell(Stage.STOPPED, played_ms=played_ms, reason=reason)
        known = self._current()
        if known is not None:
            self._chains.put(self._programme.after_break(known, played_ms))
        self._off_air()

    def failed(self, played_ms: int, *, reason: Why) -> None:
        """The pass could not be sounded, or not to its end."""
        self._tell(Stage.FAILED, played_ms=played_ms, reason=reason)
        known = self._current()
        if known is not None:
            self._chains.put(self._programme.after_failure(known, played_ms))
        self._off_air()

    def _tell(
        self,
        stage: Stage,
        *,
        passes: int = 0,
        played_ms: int = 0,
        reason: Why | None = None,
        amplifier: Amplifier | None = None,
    ) -> None:
        assert self.air is not None
        known = self._current() or self.air.known
        before = (0, 0) if known is None else (known.progress.passes, known.progress.played_ms)
        self._reports.tell(
            Subject.of(self.air.command) if known is None else Subject.of_known(known),
            stage,
            reason=reason,
            passes=before[0] + passes,
            played_ms=before[1] + played_ms,
            volume=self.air.command.volume,
            amplifier=amplifier,
        )

    def _off_air(self) -> None:
        assert self.air is not None
        answers, self.air = self.air.answers, None
        for subject in answers:
            self._reports.tell(subject, Stage.STOPPED)
        self._changes.ring()
