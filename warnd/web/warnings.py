"""The API's endpoints about warnings: bringing them in, deciding about them, and seeing how far they have come."""

from dataclasses import replace
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from warnd.ledger import views
from warnd.model.documents import Coverage, DeliveryPage, DeliveryWord, Explanation, WarningDocument, WarningPage
from warnd.model.preview import Preview
from warnd.model.submission import Submission, UnknownWarning
from warnd.web.answers import answer, decided, refusal
from warnd.web.auth import Reader, Releaser, Submitter
from warnd.web.body import MEDIA_TYPES, cap_body
from warnd.web.doors import Given
from warnd.web.stream import record_stream

router = APIRouter(prefix="/api/v1/warnings", tags=["warnings"])

WarningId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,40}$", description="As the API gave it.")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query(max_length=1000, description="As the page before gave it.")]
Text = Annotated[str | None, Query(max_length=500)]
Why = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
State = Literal[
    "held",
    "in_review",
    "dispatching",
    "completed",
    "rejected",
    "cancelled",
    "superseded",
    "expired",
    "quarantined",
]

_CAP_IN: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One CAP 1.1 or 1.2 document, at most 2 MiB.",
        "content": {media_type: {"schema": {"type": "string"}} for media_type in MEDIA_TYPES},
    }
}
_TAKEN: dict[int | str, dict[str, Any]] = {
    200: {"description": "Known already, with the same content.", "model": WarningDocument},
    202: {"description": "Held for an operator; `reasons` say why.", "model": WarningDocument},
    400: {"description": "Not XML, or with a DOCTYPE."},
    409: {"description": "Quarantined: the key is known with other content."},
    413: {"description": "Larger than 2 MiB."},
    415: {"description": "Not sent as XML."},
    422: {"description": "Refused by a rule, or not CAP."},
}


class Rejection(BaseModel):
    """Why a warning is turned down, if that is to be kept."""

    model_config = ConfigDict(extra="forbid")
    reason: Why


class Cancellation(BaseModel):
    """Whether the danger has passed (lift) or it was sent by mistake (retract), and why."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["lift", "retract"]
    reason: Why


@router.post(
    "",
    status_code=201,
    response_model=WarningDocument,
    responses=_TAKEN,
    openapi_extra=_CAP_IN,
    summary="Bring in a warning",
)
async def submit(request: Request, doors: Given, by: Submitter) -> Response:
    """A release token's warning goes out at once (201), a submit token's waits in review (201)."""
    return await answer(doors, await doors.desk.submit(await cap_body(request), by=by))


@router.post("/preview", openapi_extra=_CAP_IN, summary="See who would hear a warning")
async def preview(request: Request, doors: Given, by: Submitter) -> Preview:
    """Nothing is kept and nothing goes out. `reasons` say what would hold or refuse it."""
    seen = await doors.desk.preview(await cap_body(request), by=by)
    if isinstance(seen, Submission):
        raise refusal(seen)
    return seen


@router.get("", summary="List warnings, newest first")
async def listing(
    doors: Given,
    _by: Reader,
    *,
    state: State | None = None,
    sender: Text = None,
    identifier: Text = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> WarningPage:
    """`sender` and `identifier` are CAP's."""
    page = await doors.ledger.read(
        views.warnings, state=state, sender=sender, identifier=identifier, limit=limit, cursor=cursor
    )
    return WarningPage([replace(one, outlook=doors.outlook(one.id)) for one in page.warnings], page.cursor)


@router.get("/{warning_id}", summary="See one warning and how far it has come")
async def one(warning_id: WarningId, doors: Given, _by: Reader) -> WarningDocument:
    """Evidence stands side by side: each delivery counts once, at its strongest."""
    found = _found(await doors.ledger.read(views.warning, warning_id=warning_id))
    return replace(found, outlook=doors.outlook(found.id))


@router.post("/{warning_id}/approve", response_model=WarningDocument, summary="Release what waits")
async def approve(warning_id: WarningId, doors: Given, by: Releaser) -> Response:
    """For a warning that is held or in review; 409 in any other state."""
    return await decided(doors, await doors.desk.approve(warning_id, by=by))


@router.post("/{warning_id}/reject", response_model=WarningDocument, summary="Turn down what waits")
async def reject(warning_id: WarningId, doors: Given, by: Releaser, why: Rejection | None = None) -> Response:
    """For a warning that is held or in review; 409 in any other state. A reason is kept with the decision."""
    reason = "" if why is None else why.reason
    return await decided(doors, await doors.desk.reject(warning_id, by=by, reason=reason))


@router.post("/{warning_id}/cancel", status_code=201, response_model=WarningDocument, summary="Lift or retract")
async def cancel(warning_id: WarningId, why: Cancellation, doors: Given, by: Releaser) -> Response:
    """The answer is the Cancel, a warning of its own; it goes to exactly those who may have got the first."""
    return await answer(doors, await doors.desk.cancel(warning_id, kind=why.kind, reason=why.reason, by=by))


@router.get("/{warning_id}/coverage", summary="See which villages have not heard, and why")
async def coverage(
    warning_id: WarningId,
    doors: Given,
    _by: Reader,
    *,
    parent: Text = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Coverage:
    """`limit` bounds `unconfirmed`, which is sorted by code and covers the whole warning unless `parent` is given."""
    found = await doors.ledger.read(
        views.coverage,
        warning_id=warning_id,
        jurisdiction=doors.node.jurisdiction,
        now=doors.clock.now(),
        limit=limit,
        parent=parent,
        cursor=cursor,
    )
    return _found(found)


@router.get("/{warning_id}/deliveries", summary="List deliveries with their legs and attempts")
async def deliveries(
    warning_id: WarningId,
    doors: Given,
    _by: Reader,
    *,
    state: DeliveryWord | None = None,
    region: Text = None,
    recipient: Text = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> DeliveryPage:
    """`region` includes all below it. A page may hold fewer than `limit`, even none, while `cursor` is not null."""
    found = await doors.ledger.read(
        views.deliveries,
        warning_id=warning_id,
        limit=limit,
        state=state,
        region=region,
        recipient=recipient,
        cursor=cursor,
    )
    return _found(found)


@router.get("/{warning_id}/explain", summary="See why one recipient did or did not hear")
async def explain(
    warning_id: WarningId, doors: Given, _by: Reader, *, recipient: Annotated[str, Query(max_length=500)]
) -> Explanation:
    """Deliveries, legs, attempts and receipts side by side; phone numbers and mail addresses masked."""
    found = await doors.ledger.read(views.explain, warning_id=warning_id, recipient_id=recipient, now=doors.clock.now())
    return _found(found)


@router.get(
    "/{warning_id}/events",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Events until the client leaves."}},
    summary="Follow one warning live",
)
async def events(warning_id: WarningId, request: Request, doors: Given, _by: Reader) -> Response:
    """Server-sent events: `warning` with the document whenever it changed, and the record's events with their number as id.

    `Last-Event-ID` goes on after that number; without it the record is told from its beginning.
    """
    _found(await doors.ledger.read(views.warning, warning_id=warning_id))
    return record_stream(request, doors, warning_id)


T = TypeVar("T")


def _found(document: T | None) -> T:
    if document is None:
        raise UnknownWarning
    return document
