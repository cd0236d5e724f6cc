"""The rules of a terminal: what each arriving command changes, and what is reported (DESIGN §9, §13).

No network, no sound, no waiting. Everything that a power cut must not undo is on disk before `arrive` returns.
"""

from dataclasses import dataclass, replace

from warnd.clock import Clock
from warnd.model.loudspeaker import (
    DRILL_ROOT,
    LIVE_ROOT,
    Command,
    Refused,
    Stage,
    Verb,
    Why,
    claim_of,
    fingerprint,
    parse_topic,
    verify_command,
)
from warnd.terminal.broadcast import Broadcast
from warnd.terminal.chains import Chains, Known, begun, tombstone
from warnd.terminal.changes import Changes
from warnd.terminal.identity import Identity
from warnd.terminal.memory import Memory
from warnd.terminal.outbox import Outbox
from warnd.terminal.reports import Reports, Subject
from warnd.terminal.timekeeping import Life, Timekeeper


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message from the broker.

    Attributes:
        retained: The broker had kept it for whoever subscribes.
        expiry_s: What remains of its life as the broker says; None = the broker says nothing.
    """

    topic: str
    payload: bytes
    retained: bool = False
    expiry_s: int | None = None


class Core:
    """Obeys, refuses or ignores what arrives."""

    def __init__(
        self,
        identity: Identity,
        *,
        clock: Clock,
        time: Timekeeper,
        chains: Chains,
        outbox: Outbox,
        memory: Memory,
        reports: Reports,
        broadcast: Broadcast,
        changes: Changes,
    ) -> None:
        self._identity = identity
        self._clock = clock
        self._time = time
        self._chains = chains
        self._outbox = outbox
        self._memory = memory
        self._reports = reports
        self._broadcast = broadcast
        self._changes = changes
        self.last_message: str | None = None
        self._answer_stops()

    def _answer_stops(self) -> None:
        """After a restart everything is silent: say so for stops whose answer the restart prevented."""
        for known in self._chains.all():
            stages = {receipt.stage for receipt in self._outbox.about(known.root, known.message_id, known.seq)}
            if known.silenced and Stage.RECEIVED in stages and Stage.STOPPED not in stages:
                self._reports.tell(Subject.of_known(known), Stage.STOPPED)

    def arrive(self, arrival: Arrival) -> None:
        """Obey, refuse or ignore one message; returns when what it changes is on disk."""
        topic = parse_topic(arrival.topic)
        if topic is None or topic.kind not in {"region_command", "command"} or not arrival.payload:
            return  # An empty payload only takes a retained command off its topic.
        try:
            command = verify_command(arrival.payload, self._identity.trust)
            self._identity.check(command, topic, time=self._time)
            self._obey(command, arrival)
            self.last_message = command.message_id or self.last_message
        except Refused as refused:
            self._reports.refuse(topic.root, claim_of(arrival.payload), refused)
        self._changes.ring()

    def _obey(self, command: Command, arrival: Arrival) -> None:
        match command.verb:
            case Verb.PLAY:
                self._play(command, arrival)
            case Verb.STOP:
                self._stop(command, arrival)
            case Verb.TEST:
                self._take_test(command, arrival)
            case Verb.VOLUME:
                self._set_volume(command, arrival)
            case Verb.ACK:
                assert command.boot_id is not None
                assert command.n is not None
                self._outbox.confirm(command.root, command.boot_id, command.n)
            case Verb.TIME:
                self._set_time(command)

    def _life(self, command: Command, arrival: Arrival) -> Life:
        assert command.expires_at is not None
        assert command.ttl_s is not None
        return self._time.life(expires_at=command.expires_at, ttl_s=command.ttl_s, broker_s=arrival.expiry_s)

    # Plays.

    def _play(self, command: Command, arrival: Arrival) -> None:
        assert command.seq is not None
        life = self._life(command, arrival)
        known = self._chains.get(command.root, command.chain_id)
        if known is not None and command.seq < known.seq:
            raise Refused(Why.SUPERSEDED, f"seq {command.seq} after seq {known.seq}")
        if self._time.over(life):
            self._play_too_late(command, known, retained=arrival.retained)
            return
        if known is not None and command.seq == known.seq:
            self._play_again(command, known, arrival, life)
            return
        if command.root == DRILL_ROOT and any(other.open for other in self._chains.all() if other.root == LIVE_ROOT):
            raise Refused(Why.HIGHER_PRIORITY, "a real warning is in force")
        if command.regions is not None and not self._identity.lineage.under(command.regions):
            self._silence(command)
            return
        self._begin(command, arrival, life)

    def _play_too_late(self, command: Command, known: Known | None, *, retained: bool) -> None:
        """Refuse an expired play; it still replaces the version before it. One that the broker had kept is no fault of anybody."""
        assert command.seq is not None
        if known is not None and known.open and command.seq > known.seq:
            self._chains.put(tombstone(command))
            self._broadcast.cut(known, Why.SUPERSEDED)
        if not retained:
            raise Refused(Why.EXPIRED, f"message {command.message_id} expired")

    def _play_again(self, command: Command, known: Known, arrival: Arrival, life: Life) -> None:
        if known.silenced and command.message_id == known.message_id and known.fingerprint != fingerprint(command):
            raise Refused(Why.SUPERSEDED, f"seq {known.seq} was stopped")
        if known.fingerprint != fingerprint(command):
            raise Refused(Why.REPLAYED, f"seq {known.seq} of chain {known.chain_id} was something else")
        if not known.silenced and not (known.whole and _counted(known)):
            known = self._reopen(command, known, arrival, life)
        self._repeat_receipts(known)

    def _reopen(self, command: Command, known: Known, arrival: Arrival, life: Life) -> Known:
        """Let a play that was not heard whole, or that lost count of its life, go on with the life that this gives it.

        The very same bytes again are no new promise of life: without a clock they must not keep a warning alive for ever.
        """
        compact = arrival.payload.decode("ascii")
        if compact == known.compact and known.life is not None and known.life.deadline is not None:
            assert life.deadline is not None
            life = replace(life, deadline=min(life.deadline, known.life.deadline))
        progress = known.progress
        if not known.whole:
            progress = replace(progress, due=min(progress.due, self._clock.monotonic()), due_at=None, failures=0)
        again = replace(known, compact=compact, play=command, life=life, ended=False, progress=progress)
        self._chains.put(again)
        return again

    def _repeat_receipts(self, known: Known) -> None:
        if any(self._outbox.about(known.root, known.message_id, known.seq)):
            self._outbox.again(known.root, known.message_id, known.seq)
            return
        subject = Subject.of_known(known)
        self._reports.tell(subject, Stage.RECEIVED)
        if known.silenced:
            self._reports.tell(subject, Stage.STOPPED)

    def _begin(self, command: Command, arrival: Arrival, life: Life) -> None:
        older = self._chains.get(command.root, command.chain_id)
        known = begun(command, arrival.payload.decode("ascii"), life)
        saved = self._chains.put(known)
        self._reports.tell(Subject.of(command), Stage.RECEIVED, reason=None if saved else Why.STORAGE)
        if older is not None:
            self._broadcast.cut(older, Why.SUPERSEDED)
        if command.root == LIVE_ROOT:
            self._end_drills()
        self._broadcast.cut_in(known)

    def _end_drills(self) -> None:
        for drill in self._chains.all():
            if drill.root == DRILL_ROOT and drill.open:
                self._chains.put(replace(drill, silenced=True))
                if not self._broadcast.cut(drill, Why.HIGHER_PRIORITY):
                    self._reports.tell(Subject.of_known(drill), Stage.STOPPED, reason=Why.HIGHER_PRIORITY)

    # Stops.

    def _stop(self, command: Command, arrival: Arrival) -> None:
        assert command.seq is not None
        known = self._chains.get(command.root, command.chain_id)
        if known is not None and command.seq < known.seq:
            raise Refused(Why.SUPERSEDED, f"seq {command.seq} after seq {known.seq}")
        if known is not None and known.silenced and (known.seq, known.message_id) == (command.seq, command.message_id):
            self._repeat_receipts(known)
            return
        in_force = known is not None and known.open
        if not in_force and self._time.over(self._life(command, arrival)):
            self._chains.put(tombstone(command))
            if arrival.retained:
                return
            raise Refused(Why.EXPIRED, f"stop {command.message_id} expired, and there was nothing to stop")
        self._silence(command)

    def _silence(self, command: Command) -> None:
        """Make sure that no version up to this one sounds, and answer when it is silent."""
        older = self._chains.get(command.root, command.chain_id)
        subject = Subject.of(command)
        saved = self._chains.put(tombstone(command))
        self._reports.tell(subject, Stage.RECEIVED, reason=None if saved else Why.STORAGE)
        if older is None or not self._broadcast.cut(older, None, answer=subject):
            self._reports.tell(subject, Stage.STOPPED)

    # Commands outside of chains.

    def _take_test(self, command: Command, arrival: Arrival) -> None:
        self._check_fresh(command, arrival)
        if not self._broadcast.take_test(command):
            raise Refused(Why.BUSY, "something sounds or waits to sound")
        self._reports.tell(Subject.of(command), Stage.RECEIVED)

    def _set_volume(self, command: Command, arrival: Arrival) -> None:
        assert command.volume is not None
        self._check_fresh(command, arrival)
        saved = self._memory.set_volume(command.volume)
        self._reports.tell(Subject.of(command), Stage.RECEIVED, reason=None if saved else Why.STORAGE)

    def _check_fresh(self, command: Command, arrival: Arrival) -> None:
        assert command.nonce is not None
        life = self._life(command, arrival)
        if self._time.over(life):
            raise Refused(Why.EXPIRED, f"{command.verb} expired")
        if not self._memory.first_time(f"{command.root} {command.nonce}"):
            raise Refused(Why.REPLAYED, f"nonce {command.nonce} came before")

    def _set_time(self, command: Command) -> None:
        assert command.at is not None
        if command.boot_id != self._identity.boot_id:
            raise Refused(Why.REPLAYED, f"time for start {command.boot_id}, this is {self._identity.boot_id}")
        self._time.set(command.at)


def _counted(known: Known) -> bool:
    """Return whether the life of a play is being counted; after a restart without a clock it is not."""
    return known.life is None or known.life.deadline is not None
