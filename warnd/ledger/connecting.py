"""How a worker reaches PostgreSQL: of several servers the one that takes writes, and no wait that has no end.

The server bounds its own work (`statement_timeout`); a server that is stopped, or cut off, bounds nothing, so this side does too.
Nothing here depends on a session: a pooler may hand connections from one transaction to the next.
"""

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.pq import TransactionStatus
from psycopg.types.string import StrDumperUnknown
from sqlalchemy.engine import URL, ExceptionContext

_READ_ONLY = "25006"  # read_only_sql_transaction
_CONNECT_S = 5  # For each server that the address names.
_BOUNDS: dict[str, str | int] = {
    "application_name": "warnd",
    "client_encoding": "utf8",
    "connect_timeout": _CONNECT_S,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,  # Milliseconds; a machine that lost its power acknowledges nothing.
    "target_session_attrs": "read-write",  # A standby takes no writes until it is promoted.
}


def bounds(url: URL) -> dict[str, Any]:
    """Return what connections are made with, beside what the address itself says."""
    own = {key: value for key, value in _BOUNDS.items() if key not in url.query}
    return {**own, "prepare_threshold": None}  # A pooler knows no prepared statements.


def connect_within(patience_s: float) -> Callable[..., psycopg.Connection[Any]]:
    """Return what makes connections whose every wait ends within `patience_s`."""
    kind: type[Patient] = type("Within", (Patient,), {"patience_s": patience_s})

    def connect(_dialect: Any, _record: Any, cargs: Any, cparams: Any) -> psycopg.Connection[Any]:
        made = kind.connect(*cargs, **cparams)
        made.adapters.register_dumper(str, Keepable)
        return made

    return connect


def leave_a_standby(context: ExceptionContext) -> None:
    """Drop connections to a server that has ceased to be the primary, as if it had died: the next ones lead to the new one."""
    if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
        context.is_disconnect = True


class Keepable(StrDumperUnknown):
    """Text as it can be kept: PostgreSQL has no U+0000, so U+FFFD stands for it. A gateway's report counts, whatever rubbish is in it."""

    def dump(self, obj: str) -> Buffer | None:
        """Return the text's bytes."""
        return super().dump(obj.replace("\0", "\ufffd"))


class Patient(psycopg.Connection[Any]):
    """A connection that gives a silent server up.

    Attributes:
        patience_s: How long it waits for the answer to one statement; None = for as long as the server works.
    """

    patience_s: float | None = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for the server as the driver does; one that stays silent is left, and the connection closed.

        Raises:
            psycopg.OperationalError: The server stayed silent; whether it did what it was asked is not known.
        """
        try:
            return super().wait(gen, interval, self.patience_s if timeout is None else timeout)
        except psycopg.OperationalError as error:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            self.pgconn.finish()
            raise psycopg.OperationalError(f"the server did not answer within {self.patience_s} s") from error
