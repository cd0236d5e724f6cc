"""The durable steps of a daemon, by name: what is committed, what leaves the process, and what somebody outside is told.

Between any two of them a power cut may come. `STEPS` is the whole list; a run that takes a step which is not in it fails.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

from warnd.channel import Accepted, Failed, Playback, Presence, Reply, Report
from warnd.ledger import messages

STEPS: Mapping[str, str] = {
    "start: mark of the store": "the store gets its mark, once",
    "start: key of answer links": "the store gets the key of its answer links, once",
    "start: tries of the dead": "tries that were under way when the daemon died become unknown",
    "accept: in review": "a warning is kept for an approval",
    "accept: released": "a warning, Update or Cancel is accepted and may go out",
    "accept: held": "a warning is kept for an operator",
    "accept: cancelled": "a warning comes after its own Cancel",
    "accept: overtaken": "an Update comes after a newer one",
    "turn away": "the record says that a document was turned away",
    "approve": "an operator releases",
    "reject": "an operator turns a warning down",
    "plan: publications": "topics and pages that a message goes to",
    "plan: targets": "regions that a message means",
    "plan: audience": "deliveries of one audience",
    "plan: carry": "deliveries to whoever may have got the earlier version",
    "plan: end": "a message is planned whole",
    "claim: sms": "tries are committed before they leave",
    "claim: email": "tries are committed before they leave",
    "claim: mqtt": "tries are committed before they leave",
    "leaves: sms": "a text is at the gateway",
    "leaves: email": "a mail is at the server",
    "leaves: mqtt": "a command is at the broker",
    "outcome: accepted": "a provider took it",
    "outcome: failed": "a provider refused it",
    "outcome: unknown": "nobody knows whether it left",
    "receipt: report": "a provider's report is kept",
    "receipt: reply": "a person's answer is kept",
    "receipt: playback": "a loudspeaker's receipt is kept",
    "receipt: presence": "a loudspeaker's state is kept",
    "confirmed: sms": "the gateway hears that its receipt is kept",
    "confirmed: email": "the mailbox hears that its receipt is kept",
    "confirmed: mqtt": "the loudspeaker hears that its receipt is kept",
    "proof: delivery": "a delivery has more proof",
    "proof: village": "a village is confirmed",
    "proof: none left": "nothing is left to try",
    "time: silence": "a wait is over: the next try is due, or none is left",
    "time: breach": "a deadline has passed",
    "time: lapse": "a lease has ended",
    "time: expiry": "a message has outlived itself",
    "time: complete": "a warning has nothing open any more",
    "answer: submitter": "whoever brought a warning hears what became of it",
}

_PLANNING = "planner._step"
# What an operation of the ledger does, where its name says it all.
_PLAIN: Mapping[str, str] = {
    "node.tag": "start: mark of the store",
    "node.answer_key": "start: key of answer links",
    "events.append": "turn away",
    "desk._release": "approve",
    "warnings.move": "reject",
    "leases.lapse": "start: tries of the dead",
}
# What the record tells of a transaction beside the operation's own name.
_RECORDED: Mapping[str, str] = {
    "message.planned": "plan: end",
    "evidence.rose": "proof: delivery",
    "village.confirmed": "proof: village",
    "delivery.exhausted": "proof: none left",
}
_BY_TIME: Mapping[str, str] = {
    "delivery.breached": "time: breach",
    "attempt.unknown": "time: lapse",
    "message.closed": "time: expiry",
    "message.completed": "time: complete",
}
# Operations that the daemon also writes by, and why no story here takes them.
ELSEWHERE: Mapping[str, str] = {
    "planning.step subscribers": "browsers that subscribed to places: a chunk like the others (tests/test_push_subscribers.py)",
    "leases.take_back": "a claim whose answer was lost: taken back by its lease, if not before (tests/simulation/test_unheard_claim.py)",
    "publications.reopen": "a broker that lost its memory: made due again by the next such broker, or the next command",
    "recordings.decide": "what loudspeakers say, with recordings: decided again if it was not committed (tests/test_recordings.py)",
    "recordings.keep": "a recording: made again if it was not committed (tests/test_workshop.py)",
    "cleanup.sweep": "old rows go: swept by the next sweep (tests/test_timetable.py)",
    "clock_steps.follow": "waits move with a clock that was set, piece by piece: gone on with (tests/test_clock_steps.py)",
    "detours.start": "the next channel of urgent deliveries starts: started at the next look at the same sender",
    "leases.give_up": "a worker that ends hands its tries on: one that is killed does not, and its leases end",
    "periodic.begin": "periodic work begins: what was begun and not ended is said (tests/test_timetable.py)",
    "periodic.end": "periodic work has ended: see above",
    "progress.prove": "a sign of life for the watchdog: made again some seconds later",
    "workers.beat": "a worker's sign of life: made again three seconds later",
    "workers.join": "a worker signs in: signs in again at its next start",
    "workers.leave": "a worker signs out: one that is killed does not, and the others find out by its silence",
    "subscriptions.subscribe": "a browser's subscription: the browser hears of it after the commit (tests/test_push_routes.py)",
    "subscriptions.move": "a browser's new address: asked again by the browser (tests/test_push_routes.py)",
    "subscriptions.unsubscribe": "a browser's leave: asked again by the browser (tests/test_push_routes.py)",
}


@dataclass(slots=True)
class Write:
    """One transaction while it runs: what stood before it, and what it is called once it has done its work."""

    op: str
    stage: str | None
    last_event: int
    waiting: int
    changes: int
    kwargs: Mapping[str, Any] = field(repr=False)

    def names(self, conn: Connection, result: Any) -> tuple[str, ...]:
        """Return the steps that this transaction takes; none if it changed nothing."""
        if _changes(conn) == self.changes:
            return ()
        kinds = _kinds(conn, after=self.last_event)
        told = {name for kind, name in _RECORDED.items() if kind in kinds}
        return tuple(sorted(self._own(conn, result, kinds) | told))

    def _own(self, conn: Connection, result: Any, kinds: set[str]) -> set[str]:
        if self.op == "clockwork._pass":
            silence = {"time: silence"} if _waiting(conn) < self.waiting else set()
            return {name for kind, name in _BY_TIME.items() if kind in kinds} | silence or {"time: expiry"}
        if self.op == "recorder._record":
            return _group(self.kwargs["group"])
        made = {
            "accept.accept": f"accept: {str(getattr(result, 'fate', '')).replace('_', ' ')}",
            _PLANNING: f"plan: {str(self.stage).partition(':')[0]}",
            "claims.claim": f"claim: {self.kwargs.get('lane')}",
        }
        return {(made | dict(_PLAIN)).get(self.op, self.op)}


def begin(conn: Connection, op: Any, kwargs: Mapping[str, Any]) -> Write:
    """Look at a transaction before it does anything."""
    name = operation(op)
    stage = None
    if name == _PLANNING:
        message = messages.next_to_plan(conn)
        stage = message.stage if message is not None else None
    last = conn.execute(text("SELECT coalesce(max(no), 0) FROM event")).scalar_one()
    return Write(name, stage, last, _waiting(conn), _changes(conn), kwargs)


def operation(op: Any) -> str:
    """Return the short name of a ledger operation: its module's last word and its own."""
    return f"{op.__module__.rpartition('.')[2]}.{op.__name__}"


def _group(group: Any) -> set[str]:
    ends = {Accepted: "accepted", Failed: "failed"}
    names = {f"outcome: {ends.get(type(one.outcome), 'unknown')}" for one in group.tried}
    came = [arrived.receipt for arrived in group.reports] + [one for one, _ in group.played] + list(group.presence)
    kinds = {Report: "report", Reply: "reply", Playback: "playback", Presence: "presence"}
    return names | {f"receipt: {kinds[type(one)]}" for one in came}


def _kinds(conn: Connection, *, after: int) -> set[str]:
    return set(conn.execute(text("SELECT DISTINCT kind FROM event WHERE no > :after"), {"after": after}).scalars())


def _waiting(conn: Connection) -> int:
    return int(conn.execute(text("SELECT count(*) FROM leg WHERE state = 'waiting'")).scalar_one())


def _changes(conn: Connection) -> int:
    """Return a number that grows when the transaction changes a row."""
    if conn.dialect.name == "sqlite":
        return int(conn.connection.dbapi_connection.total_changes)  # type: ignore[union-attr]  # SQLite's own.
    written = conn.execute(
        text("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND mode = 'RowExclusiveLock'")
    )
    return int(written.scalar_one())


KNOWN = frozenset(
    {*_PLAIN, _PLANNING, "accept.accept", "claims.claim", "recorder._record", "leases.lapse", "clockwork._pass"}
)
"""Operations that `Write` names."""
