"""Numbers for `/metrics`: what leaves, what comes back, how long commits take, whether the loop keeps up."""

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from warnd.channel import Failed, Outcome


class Metrics:
    """The daemon's own numbers, on a registry that is handed in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Counter("warnd_attempts", "Tries by lane and outcome.", ["lane", "outcome"], registry=registry)
        self._receipts = Counter("warnd_receipts", "Receipts committed, by kind.", ["kind"], registry=registry)
        self._recordings = Counter(
            "warnd_recordings", "Recordings for loudspeakers, made or failed.", ["outcome"], registry=registry
        )
        self._commits = Histogram(
            "warnd_commit_seconds",
            "How long the recorder's groups take to commit.",
            buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
            registry=registry,
        )
        self._lag = Gauge(
            "warnd_loop_lag_seconds", "The longest the event loop was late in the last second.", registry=registry
        )

    def attempt(self, lane: str, outcome: Outcome) -> None:
        """Count one outcome."""
        kind = f"failed_{outcome.retry}" if isinstance(outcome, Failed) else type(outcome).__name__.lower()
        self._attempts.labels(lane, kind).inc()

    def receipt(self, kind: str) -> None:
        """Count one committed receipt."""
        self._receipts.labels(kind).inc()

    def recording(self, outcome: Literal["made", "failed"]) -> None:
        """Count one recording."""
        self._recordings.labels(outcome).inc()

    def commit(self, seconds: float) -> None:
        """Observe one group commit."""
        self._commits.observe(seconds)

    def lag(self, seconds: float) -> None:
        """Tell how late the loop was."""
        self._lag.set(seconds)
