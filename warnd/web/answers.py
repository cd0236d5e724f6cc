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
    Fate.OVERTAKEN: 201,
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


async def answer(doors: Doors, submission: Submission) -> Response:
    """Return the warning's document for what was kept, under the status that its fate has.

    Raises:
        Problem: It was turned away; the problem carries the reasons, and the warning if one was stored.
    """
    document = await _stored(doors, submission)
    if submission.fate in _BAD:
        raise refusal(submission, document)
    assert document is not None, f"intake stored nothing for {submission.fate}"
    return warning_response(document, status=_GOOD[submission.fate])


async def decided(doors: Doors, submission: Submission) -> Response:
    """Return the warning's document, 200, after an operator's decision was carried out.

    Raises:
        Problem: It was not carried out: the token may not, or something still stops the warning. Nothing has changed.
    """
    document = await _stored(doors, submission)
    assert document is not None, "a decision is about a warning, and warnings are never deleted"
    if submission.fate is Fate.FORBIDDEN:
        raise refusal(submission, document)
    if submission.fate is Fate.HELD:
        detail = "It cannot go out as it is, and an approval does not change that. The reasons say what would."
        raise Problem(422, detail, reasons=submission.reasons, more=_carried(document))
    return warning_response(document, status=200)


async def _stored(doors: Doors, submission: Submission) -> WarningDocument | None:
    if submission.warning_id is None:
        return None
    return await doors.ledger.read(views.warning, warning_id=submission.warning_id)


def refusal(submission: Submission, document: WarningDocument | None = None) -> Problem:
    """Return the problem that an unhappy fate is.

    Raises:
        KeyError: The fate is a happy one.
    """
    status, detail = _BAD[submission.fate]
    return Problem(status, detail, reasons=submission.reasons, more=_carried(document))


def _carried(document: WarningDocument | None) -> dict[str, Any]:
    return {} if document is None else {"id": document.id, "warning": jsonable_encoder(document)}


def warning_response(document: WarningDocument, *, status: int) -> Response:
    """Return a warning's document with its address."""
    headers = {"Location": f"/api/v1/warnings/{document.id}", "Cache-Control": "no-store"}
    return Response(_WARNING.dump_json(document), status, headers, media_type="application/json")
