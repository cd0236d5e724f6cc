"""What the state machines of Hypothesis share: a county's store in memory, a message under way in it, and their settings.

Always SQLite in memory: a machine takes thousands of steps, and the operations are held to both kinds of store elsewhere.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from sqlalchemy import Connection, Row, text

from channels import STRONGEST
from tests.simulation.county import VILLAGES
from tests.simulation.seeded.ground import settings_and_files, store_of
from tests.simulation.virtual import START
from warnd.ledger import directory, messages, planning
from warnd.ledger.events import Stamp
from warnd.ledger.messages import NewMessage
from warnd.ledger.planning import Means, Pace
from warnd.ledger.values import to_ms
from warnd.model.level import Level
from warnd.model.plan import choose

T = TypeVar("T")
LIFE_S = 3600

# The same examples in every run, so that nobody's change fails by somebody else's luck; MACHINE_EXAMPLES=2000 looks for new ones.
_MORE = os.environ.get("MACHINE_EXAMPLES")
SETTINGS = settings(
    max_examples=int(_MORE or 25),
    stateful_step_count=25,
    derandomize=_MORE is None,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class Ground:
    """One store with one message, planned whole, and a clock that a machine moves."""

    def __init__(self, *, level: Level = Level.RED) -> None:
        self.engine = store_of(1)
        self.now_ms = to_ms(START)
        self.message_no = self.run(self._open, level=level)
        while self.run(planning.step, means=self.means, pace=Pace(), stamp=self.stamp()) is not None:
            pass

    means = Means(channels=frozenset({"sms", "email", "mqtt"}), jurisdiction=())

    def stamp(self) -> Stamp:
        """Return who acts, and when."""
        return Stamp(self.now_ms, "writer")

    def run(self, op: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run one operation in a transaction."""
        with self.engine.begin() as conn:
            return op(conn, *args, **kwargs)

    def rows(self, statement: str, **values: Any) -> list[Row[Any]]:
        """Return rows of the store."""
        return self.run(lambda conn: list(conn.execute(text(statement), values)))

    def close(self) -> None:
        """Throw the store away."""
        self.engine.dispose()

    def _open(self, conn: Connection, *, level: Level) -> int:
        plan = choose(settings_and_files()[1].plans, hazards=("洪水",), level=level, status="Actual")
        assert plan is not None
        assert {channel for audience in plan.audiences for channel in audience.channels} <= set(STRONGEST)
        new = NewMessage(
            id="message",
            kind="warning",
            chain_id="message",
            seq=1,
            drill=False,
            urgency=int(level),
            plan=plan,
            directory_rev=directory.revision(conn),
            expires_at=to_ms(START + timedelta(seconds=LIFE_S)),
            roots=[(VILLAGES[0], "geocode", False), (VILLAGES[1], "geocode", False)],
            recipients=[],
            public=True,
        )
        return messages.open_message(conn, new, stamp=Stamp(to_ms(START), "writer"))
