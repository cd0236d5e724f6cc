"""What intake decided, as HTTP says it (DESIGN §10, §13)."""

from collections.abc import Mapping
from typing import Any

from fastapi.encoders import jsonable_encoder
from pydantic import TypeAdapter
from starlette.responses import Response

from warnd.ledger import views
from warnd.model.documents import WarningDocument
from warnd.model.submission import Fate, Submission
from warnd.web.doors import Doors
from warnd.web.problems import Problem

_GOOD: Mapping[Fate, int] = {
    Fate.RELEASED: 201,
    Fate.IN_REVIEW: 201,
    Fate.CANCELLED: 201,
    Fate.SAME: 200,
    Fate.HELD: 202,
}
_BAD: Mapping[Fate, tuple[int, str]] = {
    Fate.NOT_XML: (400, "This is not well-formed XML, or it has a DOCTYPE. Send one CAP 1.2 document without either."),
    Fate.FORBIDDEN: (403, "This token may not do this. The reasons say why."),
    Fate.QUARANTINED: (
        409,
        "This sender and identifier are known with other content. Give a changed message an identifier of its own.",
    ),
    Fate.TOO_LARGE: (413, "The document is larger than 2 MiB. Send a smaller one."),
    Fate.REFUSED: (422, "A rule refuses this warning. The reasons say what to change."),
    Fate.NOT_CAP: (422, "This is XML, but not CAP 1.1 or 1.2. The reasons say where it departs."),
}
_WARNING = TypeAdapter(WarningDocument)


async def answer(doors: Doors, submission: Submission, *, released: int = 201) -> Response:
    """Return the warning's document for what was kept, under the status that its fate has.

    Args:
        doors: For reading the warning back.
        submission: What intake decided.
        released: The status of a success where it is not 201.

    Raises:
        Problem: It was turned away; the problem carries the reasons, and the warning if one was stored.
    """
    document = None
    if submission.warning_id is not None:
        document = await doors.ledger.read(views.warning, warning_id=submission.warning_id)
    refusal = refused(submission, document)
    if refusal is not None:
        raise refusal
    assert document is not None, f"intake stored nothing for {submission.fate}"
    good = _GOOD[submission.fate]
    return warning_response(document, status=released if good == _GOOD[Fate.RELEASED] else good)


def refused(submission: Submission, document: WarningDocument | None = None) -> Problem | None:
    """Return the problem that a submission's fate is, or None if it is none."""
    bad = _BAD.get(submission.fate)
    if bad is None:
        return None
    status, detail = bad
    more: dict[str, Any] = {}
    if submission.warning_id is not None:
        more = {"id": submission.warning_id, "warning": jsonable_encoder(document)}
    return Problem(status, detail, reasons=submission.reasons, more=more)


def warning_response(document: WarningDocument, *, status: int) -> Response:
    """Return a warning's document with its address."""
    headers = {"Location": f"/api/v1/warnings/{document.id}", "Cache-Control": "no-store"}
    return Response(_WARNING.dump_json(document), status, headers, media_type="application/json")
