"""What channels' other sides call back, answered in front of the machinery that pages and the API need.

A gateway posts a receipt for each of a million texts, and that machinery costs more than taking one. What it does for everybody it must
not leave out: bodies are bounded, errors are told in the same words, and whatever a browser could show carries the same headers.
"""

from collections.abc import Awaitable, Callable, Iterable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from warnd.web.body import limited

Answer = Callable[[Request, Exception], Awaitable[Response]]
"""Returns what whoever asked is told of an error."""


class Callbacks:
    """Answers the routes of channels.

    Args:
        routes: Of all channels, in order.
        answer: For errors that an endpoint raises.
        guard: Puts the headers of every page round an application.
    """

    def __init__(self, routes: Iterable[BaseRoute], *, answer: Answer, guard: Callable[[ASGIApp], ASGIApp]) -> None:
        self._routes = [route for route in routes if isinstance(route, Route)]
        self._prefixes = tuple(route.path.partition("{")[0] for route in self._routes)
        self._answer = answer
        self._guard = guard

    async def answered(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer a request; False = it is for others: another path, another method, a route that is no plain one."""
        route = self._meant(scope)
        if route is None:
            return False
        request = Request(scope, limited(scope, receive))
        try:
            response: Response = await route.endpoint(request)
        except Exception as error:  # noqa: BLE001 - an edge: whoever asked is told, and the log has it
            response = await self._answer(request, error)
        # An answer without a body shows nothing, and whoever posts receipts reads none of the headers.
        await (self._guard(response) if response.body else response)(scope, receive, send)
        return True

    def _meant(self, scope: Scope) -> Route | None:
        if scope["type"] != "http" or not scope["path"].startswith(self._prefixes):
            return None
        for route in self._routes:
            match, found = route.matches(scope)
            if match is Match.FULL:
                scope.update(found)
                return route
        return None
