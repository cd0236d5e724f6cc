"""The read side: what pages, scripts and `status` see. Every view reads a bounded number of rows, and none writes.

A view is an operation for `Ledger.read`. Totals come from counters kept by the writers; nothing here scans deliveries.
"""

from warnd.ledger.views.coverage import coverage
from warnd.ledger.views.cursor import BadCursor
from warnd.ledger.views.deliveries import deliveries
from warnd.ledger.views.explain import explain
from warnd.ledger.views.gazetteer import Found, Place, find_places, public_place, public_places, reaching
from warnd.ledger.views.places import UnknownRegion
from warnd.ledger.views.record import events
from warnd.ledger.views.site import PublicWarning, public_warning, public_warnings
from warnd.ledger.views.terminals import terminals
from warnd.ledger.views.warnings import warning, warnings

__all__ = [
    "BadCursor",
    "Found",
    "Place",
    "PublicWarning",
    "UnknownRegion",
    "coverage",
    "deliveries",
    "events",
    "explain",
    "find_places",
    "public_place",
    "public_places",
    "public_warning",
    "public_warnings",
    "reaching",
    "terminals",
    "warning",
    "warnings",
]
