"""How the daemon fares: whether it lives, whether warnings can leave, and its numbers."""

import asyncio
import shutil

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from warnd.channel import Degradable
from warnd.ledger import store, trouble
from warnd.web.auth import from_here, is_insider
from warnd.web.doors import Doors, doors_of
from warnd.web.problems import Problem, problem_response

_LEDGER_S = 2.0  # Warnings wait behind every read; one that takes longer is a problem by itself.
_LEAST_FREE = 50_000_000  # Bytes; told while there is still time to act.
_FRESH = {"Cache-Control": "no-store"}


async def healthz(_request: Request) -> Response:
    """Say that the process lives; that an answer comes at all is the answer."""
    return PlainTextResponse("alive\n", headers=_FRESH)


async def readyz(request: Request) -> Response:
    """Say whether warnings can leave: 200, or 503 with every problem by name; and what does not work although they can.

    Who is neither on this machine nor holds a token learns only which parts have one.
    """
    doors = doors_of(request)
    found = await problems(doors)
    shown, partly = found, degraded(doors)
    if (found or partly) and not await _trusted(doors, request, found):
        shown, partly = _parts(shown), _parts(partly)
    content = {"ready": not found, "at": doors.clock.now().isoformat(), "problems": shown, "degraded": partly}
    return JSONResponse(content, 503 if found else 200, _FRESH)


def _parts(told: list[str]) -> list[str]:
    return [each.partition(":")[0] for each in told]


async def _trusted(doors: Doors, request: Request, found: list[str]) -> bool:
    """Say whether details may be shown; a ledger that does not answer cannot look a token up."""
    if any(each.startswith("ledger:") for each in found):
        return from_here(request)
    return await is_insider(doors, request)


async def problems(doors: Doors) -> list[str]:
    """Return what keeps warnings from coming in or leaving, each as "part: what is wrong and what to do"."""
    channels = [(channel.name, channel.problem()) for channel in doors.channels]
    return [
        *([f"ledger: {trouble}"] if (trouble := await _ledger_problem(doors)) else []),
        *doors.problems(),
        *(f"{name}: {problem}" for name, problem in channels if problem),
    ]


def degraded(doors: Doors) -> list[str]:
    """Return what does not work although warnings leave, each as "part: what is wrong and what to do"."""
    found = [(each.name, each.degraded()) for each in doors.channels if isinstance(each, Degradable)]
    return [*doors.degraded(), *(f"{name}: {trouble}" for name, trouble in found if trouble)]


async def _ledger_problem(doors: Doors) -> str | None:
    try:
        async with asyncio.timeout(_LEDGER_S):
            await doors.ledger.read(store.ready)
            path = await doors.ledger.read(store.file)
            free = (await asyncio.to_thread(shutil.disk_usage, path.parent)).free if path else _LEAST_FREE
    except TimeoutError:
        return f"no answer within {_LEDGER_S:.0f} s. Look at the disk, or the database server, and at what else uses the store."
    except (SQLAlchemyError, OSError) as error:
        return trouble.told(error)
    if free < _LEAST_FREE:
        return f"its disk is almost full: {free // 1_000_000} MB are left. Free disk space; warnd goes on by itself."
    return None


class Metrics:
    """The numbers of one registry, for programs on this machine and for holders of a token."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    async def show(self, request: Request) -> Response:
        """Give them in Prometheus's text format."""
        if not await is_insider(doors_of(request), request):
            detail = "Metrics are for programs on this machine, or with a token: send `Authorization: Bearer TOKEN`."
            return problem_response(Problem(401, detail, headers={"WWW-Authenticate": "Bearer"}))
        return Response(generate_latest(self._registry), headers=_FRESH, media_type=CONTENT_TYPE_LATEST)
