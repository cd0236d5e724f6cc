"""Errors as problem details (RFC 9457): what, where, what to do. One shape for every refusal of the API."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from warnd.ledger import trouble
from warnd.ledger.views import BadCursor, UnknownRegion
from warnd.model.documents import ReasonDocument
from warnd.model.reason import Reason, Verdict, shorten
from warnd.model.submission import UnknownWarning, WrongState

log = structlog.get_logger()

API = "/api/"
_RETRY_AFTER_S = "5"  # A standby is promoted in seconds.


@dataclass(frozen=True, slots=True)
class ProblemDocument:
    """Why something was not done (RFC 9457): `detail` says what and what to do, `reasons` name each finding and its place."""

    type: str
    title: str
    status: int
    detail: str
    reasons: list[ReasonDocument]


class Problem(Exception):  # noqa: N818 - RFC 9457's own word
    """An answer other than the one hoped for.

    Attributes:
        detail: What is wrong here and what to do about it.
        more: Members beside the standard ones: `id`, `warning`.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        reasons: Sequence[Reason] = (),
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.reasons = reasons
        self.headers = dict(headers or {})
        self.more = dict(more or {})


def problem_response(problem: Problem) -> Response:
    """Return the problem as `application/problem+json`."""
    content = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "reasons": [reason.to_dict() for reason in problem.reasons],
        **problem.more,
    }
    headers = {"Cache-Control": "no-store", **problem.headers}
    return JSONResponse(content, problem.status, headers, media_type="application/problem+json")


_WHAT_TO_DO = {
    400: "The body is not JSON in UTF-8. /api/docs shows what is taken.",
    404: "Nothing is at this address. /api/docs lists what there is.",
    405: "This address does not take this method. /api/docs lists what it takes.",
    408: "The body did not arrive within a minute. Send it again.",
    413: "The body is larger than 2 MiB. Send a smaller document.",
}


async def _on_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return problem_response(error)


async def _on_unknown_warning(_request: Request, _error: Exception) -> Response:
    return problem_response(Problem(404, "No warning has this id. GET /api/v1/warnings lists them."))


async def _on_wrong_state(_request: Request, error: Exception) -> Response:
    return problem_response(Problem(409, str(error) or "The warning's state does not allow this."))


async def _on_bad_cursor(_request: Request, _error: Exception) -> Response:
    return problem_response(
        Problem(422, "The cursor is none that this listing gave. Ask without a cursor for the first page.")
    )


async def _on_unknown_region(_request: Request, error: Exception) -> Response:
    return problem_response(
        Problem(422, f"No region has the code {shorten(str(error.args[0]))!r}. Give a code of the imported directory.")
    )


async def _on_invalid_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    reasons = [_invalid(each) for each in error.errors()]
    return problem_response(
        Problem(422, "The request has parts that cannot be used; each reason names one.", reasons=reasons)
    )


def _invalid(error: Mapping[str, Any]) -> Reason:
    """Return one finding about a parameter or a member of the JSON body; the value itself is not repeated."""
    where = "/".join(str(part) for part in error["loc"])
    return Reason(
        "request_invalid", where, shorten(str(error["msg"])), "See /api/docs for what is taken.", Verdict.REFUSE
    )


class Errors:
    """How errors of the whole application are answered: problem details under /api/, `page` elsewhere."""

    def __init__(self, app: FastAPI, *, page: Any) -> None:
        self._app = app
        self._page = page
        app.add_exception_handler(Problem, _on_problem)
        app.add_exception_handler(UnknownWarning, _on_unknown_warning)
        app.add_exception_handler(WrongState, _on_wrong_state)
        app.add_exception_handler(BadCursor, _on_bad_cursor)
        app.add_exception_handler(UnknownRegion, _on_unknown_region)
        app.add_exception_handler(RequestValidationError, _on_invalid_request)
        app.add_exception_handler(HTTPException, self._on_http)
        app.add_exception_handler(SQLAlchemyError, self._on_store)
        app.add_exception_handler(Exception, self._on_crash)

    async def answer(self, request: Request, error: Exception) -> Response:
        """Return what is answered for an error, as the application itself would."""
        known: Mapping[Any, Any] = self._app.exception_handlers
        answering = next(known[kind] for kind in type(error).__mro__ if kind in known)
        told: Response = await answering(request, error)
        return told

    async def _on_http(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if not request.url.path.startswith(API):
            answer: Response = await self._page(request, error.status_code)
            answer.headers.update(error.headers or {})
            return answer
        detail = _WHAT_TO_DO.get(error.status_code, error.detail)
        return problem_response(Problem(error.status_code, detail, headers=error.headers))

    async def _on_store(self, request: Request, error: Exception) -> Response:
        """Say that the store cannot be used just now: a full disk, a broken one, a database server that died."""
        assert isinstance(error, SQLAlchemyError)
        if not trouble.passing(error):
            return await self._on_crash(request, error)
        told, cause = trouble.told(error), str(getattr(error, "orig", error))
        log.error("store_refuses", path=_told(request), method=request.method, error=cause, told=told)
        if not request.url.path.startswith(API):
            answer: Response = await self._page(request, 503)
            return answer
        return problem_response(
            Problem(
                503, f"The store cannot be used: {told} Then send it again.", headers={"Retry-After": _RETRY_AFTER_S}
            )
        )

    async def _on_crash(self, request: Request, error: Exception) -> Response:
        log.error("request_failed", path=_told(request), method=request.method, exc_info=error)
        return problem_response(
            Problem(500, "warnd failed to answer this. Nothing is known about what it did: look before you try again.")
        )


def _told(request: Request) -> str:
    """Return the path for the log, without the secret that some end with: who reads it must not answer for others, or forge reports."""
    secret = str(request.scope.get("path_params", {}).get("token", ""))
    return request.url.path.replace(secret, "{token}") if secret else request.url.path


_ANYWHERE = {
    "401": "No valid token.",
    "403": "The token may not do this.",
    "404": "Nothing is here.",
    "409": "The warning's state or content does not allow it.",
    "422": "Something in it cannot be used.",
}


def documented(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """Return the application's OpenAPI document with its errors as they truly are, which FastAPI cannot know."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = made()
            schemas = document["components"]["schemas"]
            schemas["ProblemDocument"] = TypeAdapter(ProblemDocument).json_schema(ref_template=f"{_SCHEMAS}{{model}}")
            schemas["ProblemDocument"].pop("$defs", None)
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            for item in document["paths"].values():
                for operation in item.values():
                    _declare(operation["responses"])
        return made()

    return openapi


_SCHEMAS = "#/components/schemas/"


def _declare(responses: dict[str, Any]) -> None:
    content = {"application/problem+json": {"schema": {"$ref": f"{_SCHEMAS}ProblemDocument"}}}
    for status, description in _ANYWHERE.items():
        told = responses.get(status, {}).get("description", description)
        responses[status] = {"description": description if told == "Validation Error" else told, "content": content}
    for status, response in responses.items():
        if status >= "400":
            response["content"] = content
