"""What to tell people of a store that cannot be used just now. Never its address: some of these words go to whoever asks over HTTP."""

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as NoTurn

_POSTGRESQL = "psycopg"
_SERVER = "See that its server runs and takes writes, or promote its standby; warnd connects again by itself, and what was accepted is kept"
_DISK = "Free disk space, or see to the disk and the file's rights; warnd goes on by itself"
_CAUSES = {  # SQLSTATE, https://www.postgresql.org/docs/15/errcodes-appendix.html
    "25006": "the database server takes no writes: it is a standby",
    "42501": "the database's user lacks a right",
    "42703": "the database lacks a column: `warnd db upgrade` was not run, or another version's",
    "42P01": "the database lacks a table: `warnd db upgrade` was not run, or another version's",
    "53100": "the disk of the database server is full",
    "53200": "the database server is out of memory",
    "53300": "the database server has no free connection",
    "55P03": "the database is busy: another one writes",
    "57014": "the database server did not finish in time",
    "57P01": "the database server is being shut down",
    "57P03": "the database server is starting or stopping",
}
_TOO_MUCH = "54"  # Class of "program limit exceeded": a value longer than an index takes. The driver calls it the server's trouble.


def passing(error: SQLAlchemyError) -> bool:
    """Say whether the store itself is in trouble, so that the same may be asked again; else what was asked is at fault."""
    if isinstance(error, DBAPIError):
        if _state(error).startswith(_TOO_MUCH):
            return False
        return isinstance(error, OperationalError) or error.connection_invalidated or _state(error) in _CAUSES
    return isinstance(error, NoTurn)


def unfit(error: Exception) -> bool:
    """Say whether the values are at fault, as opposed to the state of the store: to try the same again would change nothing."""
    if isinstance(error, DBAPIError):
        if _of_postgresql(error) and (isinstance(error, InterfaceError) or _state(error) in _CAUSES):
            return False  # A connection that is lost, a right that is missing: no value's fault.
        if _state(error).startswith(_TOO_MUCH):
            return True
        return isinstance(error, IntegrityError | DataError | InterfaceError | ProgrammingError)
    return isinstance(error, ValueError | ArithmeticError)


def told(error: Exception) -> str:
    """Return "what is wrong. What to do." in one line."""
    if isinstance(error, NoTurn):
        return f"{error}. {_SERVER}."
    if isinstance(error, DBAPIError) and _of_postgresql(error):
        return f"{_cause(error)}. {_SERVER}."
    cause = str(getattr(error, "orig", None) or type(error).__name__).rstrip(".")
    return f"{cause}. {_DISK}."


def _of_postgresql(error: DBAPIError) -> bool:
    return type(error.orig).__module__.startswith(_POSTGRESQL)


def _cause(error: DBAPIError) -> str:
    known = _CAUSES.get(_state(error))
    if known is not None:
        return known
    if error.connection_invalidated or _state(error) == "":
        return "the database server does not answer, or takes no writes"
    return f"the database server refuses ({_state(error)})"


def _state(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")
