"""Numbers for `/metrics`: what leaves, what comes back, how long commits take."""

from collections.abc import Collection, Mapping
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from warnd.channel import Failed, Outcome


class Metrics:
    """The daemon's own numbers, on a registry that is handed in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Counter("warnd_attempts", "Tries by lane and outcome.", ["lane", "outcome"], registry=registry)
        self._by_sender = Counter(
            "warnd_sender_attempts",
            "Tries by lane, sender and outcome, where a channel has senders.",
            ["lane", "sender", "outcome"],
            registry=registry,
        )
        self._found: dict[tuple[str, str, str], tuple[Counter, ...]] = {}
        self._weights = Gauge(
            "warnd_sender_weight",
            "A sender's weight after errors and slow reports.",
            ["lane", "sender"],
            registry=registry,
        )
        self._breakers = Gauge(
            "warnd_sender_breaker", "0 closed, 1 tried now and then, 2 at rest.", ["lane", "sender"], registry=registry
        )
        self._bypassed = Counter(
            "warnd_bypassed",
            "Urgent deliveries that started their next channel because a lane was blocked.",
            ["lane"],
            registry=registry,
        )
        self._receipts = Counter("warnd_receipts", "Receipts committed, by kind.", ["kind"], registry=registry)
        self._recordings = Counter(
            "warnd_recordings", "Recordings for loudspeakers, made or failed.", ["outcome"], registry=registry
        )
        self._periodic = Counter(
            "warnd_periodic_runs", "Runs of periodic work by this worker.", ["job", "outcome"], registry=registry
        )
        self._commits = Histogram(
            "warnd_commit_seconds",
            "How long the recorder's groups take to commit.",
            buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
            registry=registry,
        )

        self._due = Gauge("warnd_due", "Tries that could begin now, by lane.", ["lane"], registry=registry)
        self._stalled = Gauge("warnd_stalled", "1 for each part that does not move.", ["part"], registry=registry)
        self._workers = Gauge("warnd_workers", "Workers that share the store.", registry=registry)
        self._workers.set(1)
        self._clock_off = Gauge(
            "warnd_clock_off_seconds",
            "How far this machine's clock is ahead of the shared store's, by which all workers go.",
            registry=registry,
        )

    def attempt(self, lane: str, outcome: Outcome, *, sender: str = "") -> None:
        """Count one outcome."""
        kind = f"failed_{outcome.retry}" if isinstance(outcome, Failed) else type(outcome).__name__.lower()
        for counter in self._counters(lane, sender, kind):
            counter.inc()

    def _counters(self, lane: str, sender: str, kind: str) -> tuple[Counter, ...]:
        """Return what counts such outcomes; found once, for looking labels up costs more than counting."""
        found = self._found.get((lane, sender, kind))
        if found is None:
            found = (
                self._attempts.labels(lane, kind),
                *([self._by_sender.labels(lane, sender, kind)] if sender else ()),
            )
            self._found[lane, sender, kind] = found
        return found

    def sender(self, lane: str, sender: str, *, weight: float, breaker: int) -> None:
        """Say how a sender fares; `breaker` 0 closed, 1 half open, 2 open."""
        self._weights.labels(lane, sender).set(weight)
        self._breakers.labels(lane, sender).set(breaker)

    def bypassed(self, lane: str, deliveries: int) -> None:
        """Count deliveries that passed a blocked lane by."""
        self._bypassed.labels(lane).inc(deliveries)

    def receipts(self, committed: Mapping[str, int]) -> None:
        """Count committed receipts by kind."""
        for kind, count in committed.items():
            self._receipts.labels(kind).inc(count)

    def recording(self, outcome: Literal["made", "failed"]) -> None:
        """Count one recording."""
        self._recordings.labels(outcome).inc()

    def periodic(self, job: str, *, done: bool) -> None:
        """Count one run of periodic work."""
        self._periodic.labels(job, "done" if done else "failed").inc()

    def commit(self, seconds: float) -> None:
        """Observe one group commit."""
        self._commits.observe(seconds)

    def workers(self, count: int, *, clock_off_s: float) -> None:
        """Say who shares the store, and how far this machine's clock is ahead of it."""
        self._workers.set(count)
        self._clock_off.set(clock_off_s)

    def standing(self, *, due: Mapping[str, int], stalled: Collection[str]) -> None:
        """Say what waits in each lane, and what does not move."""
        for gauge, told in ((self._due, due), (self._stalled, dict.fromkeys(stalled, 1))):
            gauge.clear()
            for label, value in told.items():
                gauge.labels(label).set(value)
