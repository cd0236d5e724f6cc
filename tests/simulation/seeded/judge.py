"""What a scenario is held to: what providers saw, in simulated time, and what people really heard, whatever the store says.

It knows nothing of how the daemon works: it is told of each network call, each end of a message, and each thing that really happened at
the far end, and compares.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from tests.simulation.seeded.ground import WallClock
from warnd.channel import Outgoing
from warnd.ledger.values import to_ms
from warnd.model.evidence import Evidence

_HEARD_S = 5.0  # After the store's clock was set, for every worker to have heard of it.
GRACE_S = 2.0  # In which a call that was decided before the end may still begin (DESIGN §4).


@dataclass(slots=True)
class Call:
    """One network call that began.

    Attributes:
        at_s: Simulated seconds.
        took: The provider took it, whatever it answered, and whether or not anybody was left to hear the answer.
        heard: It reached the ear or eye it was meant for.
        refuted: Its provider says for sure that nothing of it arrived.
    """

    at_s: float
    channel: str
    outgoing: Outgoing
    took: bool = False
    heard: bool = False
    refuted: bool = False


@dataclass(slots=True)
class Judge:
    """Keeps what happened and complains of what must not.

    Attributes:
        ended_at: Message -> when the commit came that closed it.
        set_at: When the store's clock was set last.
        wrote_back: Addresses from which somebody answered.
        promised: Receipts that a daemon confirmed to whoever brought them, by what tells them apart.
    """

    clock: WallClock
    tell: Callable[[str], None]
    complaints: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    ended_at: dict[str, float] = field(default_factory=dict)
    by_attempt: dict[str, Call] = field(default_factory=dict)
    by_reader: dict[tuple[str, str, str], list[Call]] = field(default_factory=lambda: defaultdict(list))
    set_at: float = float("-inf")
    wrote_back: set[str] = field(default_factory=set)
    promised: set[tuple[object, ...]] = field(default_factory=set)

    def complain(self, what: str) -> None:
        """Note that a rule was broken."""
        self.complaints.append(what)
        self.tell(f"BROKEN: {what}")

    def ended(self, message_id: str) -> None:
        """Take note of the commit that closes a message."""
        self.ended_at.setdefault(message_id, self.clock.monotonic())

    def begins(self, channel: str, outgoing: Outgoing) -> Call:
        """Take note of a network call at its beginning."""
        call = Call(self.clock.monotonic(), channel, outgoing)
        again = " (a repeat)" if outgoing.repeated else ""
        self.tell(f"    {channel} {outgoing.attempt} for {outgoing.message.id[:4]} to {outgoing.address}{again}")
        self._in_time(call)
        self._apart(call)
        if outgoing.attempt in self.by_attempt:
            self.complain(f"{outgoing.attempt} went over the network twice")
        before = self.by_reader[outgoing.message.id, channel, outgoing.address]
        if (
            any(_arrived(one) and one.outgoing.recipient == outgoing.recipient for one in before)
            and not outgoing.repeated
        ):
            self.complain(f"{outgoing.attempt} to {outgoing.address} is a repeat and does not say so")
        before.append(call)
        self.calls.append(call)
        self.by_attempt[outgoing.attempt] = call
        return call

    def _in_time(self, call: Call) -> None:
        message = call.outgoing.message
        since = call.at_s - self.ended_at.get(message.id, call.at_s)
        if since > GRACE_S:
            self.complain(f"a call for {message.id} began {since:.2f} s after its end was committed")
        past = to_ms(self.clock.now()) - to_ms(message.expires_at)
        if past > GRACE_S * 1000 and call.at_s - self.set_at > _HEARD_S:
            self.complain(f"a call for {message.id} began {past / 1000:.2f} s after it had expired")

    def _apart(self, call: Call) -> None:
        outgoing = call.outgoing
        drill = outgoing.message.status in {"Exercise", "Test"}
        if drill != outgoing.message.drill:
            self.complain(f"{outgoing.message.status} {outgoing.message.id} is drill={outgoing.message.drill}")
        if drill and (call.channel == "web" or (outgoing.recipient or "").startswith("home")):
            self.complain(f"the public hears {outgoing.message.status} {outgoing.message.id}: {outgoing.recipient}")
        if drill and call.channel in {"sms", "email"} and not any(mark in outgoing.texts[0].text for mark in _MARKS):
            self.complain(f"{outgoing.attempt} of {outgoing.message.status} does not say so")


def _arrived(call: Call) -> bool:
    """Say whether a call may have arrived, in part at least."""
    return call.took and not call.refuted


_MARKS = ("演练", "测试", "EXERCISE", "TEST")


# ---- what can be told at the end -----------------------------------------------------------------------------------------------------


def evidence_is_backed(conn: Connection, judge: Judge) -> None:
    """Nothing is said to be proved that did not happen at the far end, and nothing that was confirmed to a provider was lost."""
    rows = conn.execute(
        text(
            "SELECT d.no, d.evidence, m.id, r.id AS recipient, "
            "(SELECT group_concat(l.address) FROM leg l WHERE l.delivery_no = d.no) AS addresses "
            "FROM delivery d JOIN message m ON m.no = d.message_no JOIN recipient r ON r.no = d.recipient_no "
            "JOIN recipient_version v ON v.no = d.version_no WHERE v.kind <> 'terminal'"
        )
    )
    made: dict[tuple[str, str], list[Call]] = defaultdict(list)
    for call in judge.calls:
        if call.outgoing.recipient is not None:
            made[call.outgoing.message.id, call.outgoing.recipient].append(call)
    for row in rows:
        calls = made[row.id, row.recipient]
        told = f"delivery {row.no} of {row.id} to {row.recipient} stands as {Evidence(row.evidence).word}"
        wrote = judge.wrote_back & set((row.addresses or "").split(","))  # Maybe another who has the same phone.
        if row.evidence >= Evidence.ACKNOWLEDGED and not wrote:
            judge.complain(f"{told}, and nobody wrote back")
        elif row.evidence == Evidence.DELIVERED and not any(call.heard for call in calls):
            judge.complain(f"{told}, and nobody got it")
        elif row.evidence == Evidence.ACCEPTED and not any(call.took for call in calls):
            judge.complain(f"{told}, and no provider took it")


def promises_are_kept(conn: Connection, judge: Judge) -> None:
    """What a daemon confirmed to a provider or a loudspeaker is in the store."""
    reports = conn.execute(text("SELECT attempt, reference, evidence, failed, part FROM receipt WHERE kind = 'report'"))
    played = conn.execute(text("SELECT terminal, drill, boot_id, n FROM terminal_receipt"))
    kept = {tuple(row) for row in reports} | {tuple(row) for row in played}
    lost = sorted(judge.promised - kept, key=repr)
    if lost:
        judge.complain(f"confirmed and not kept: {lost[:3]}")


def the_end_was_told(conn: Connection, judge: Judge) -> None:
    """Whoever really heard a version that a Cancel ended has really been told of the end, or stands as not reached."""
    cancels = conn.execute(
        text(
            "SELECT m.no, m.id, m.chain_id FROM message m WHERE m.kind = 'cancel' AND m.closed_as IS NULL AND m.stage = 'planned'"
        )
    ).all()
    chains = {row.chain_id: row for row in cancels}
    for call in judge.calls:
        message, recipient = call.outgoing.message, call.outgoing.recipient
        cancel = chains.get(message.chain_id)
        if (
            cancel is None
            or not _arrived(call)
            or recipient is None
            or message.id == cancel.id
            or message.kind == "cancel"
        ):
            continue
        named = conn.execute(
            text(
                "SELECT d.evidence, d.state FROM delivery d JOIN recipient r ON r.no = d.recipient_no "
                "WHERE d.message_no = :no AND r.id = :recipient"
            ),
            {"no": cancel.no, "recipient": recipient},
        ).one_or_none()
        told = any(
            one.took and one.outgoing.recipient == recipient
            for one in judge.calls
            if one.outgoing.message.id == cancel.id
        )
        if named is None:
            judge.complain(f"{recipient} got {message.id} and is not among those of its Cancel {cancel.id}")
        elif named.state == "satisfied" and not told and not recipient.startswith("term"):
            judge.complain(f"{recipient} got {message.id}; its Cancel {cancel.id} stands as heard and never was")
