"""What a row of geocode aliases says: `scheme,value,region`."""

from warnd.intake.importing.header import Header
from warnd.intake.importing.problem import Problems
from warnd.intake.importing.row import Fields, Row
from warnd.ledger.enrolment.aliases import Key

HEADER = Header(needed=("scheme", "value", "region"))
_LONGEST = 100


def read_alias(row: Row, problems: Problems) -> tuple[Key, str] | None:
    """Return ((scheme, value), region code as stored), or None if the row has faults. Schemes are kept in lower case."""
    fields = Fields(row, problems)
    scheme = fields.text("scheme", longest=_LONGEST, needed=True).casefold()
    value = fields.text("value", longest=_LONGEST, needed=True)
    code = fields.code("region")
    return ((scheme, value), code) if fields.sound else None
