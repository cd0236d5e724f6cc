"""Where browsers ask to be told of a place's warnings, or no more. Anybody may: bodies are small, and only known services are taken."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from warnd.ledger import subscriptions
from warnd.ledger.subscriptions import Refused
from warnd.ledger.values import to_ms
from warnd.model.push import BadSubscription, Subscription, endpoint_hash
from warnd.web.doors import doors_of
from warnd.web.problems import Problem
from warnd.web.sse import address_of

_BODY_MAX = 4_096
_LANG_MAX = 35  # RFC 5646 §4.4.1.
_PER_S, _BURST = 20.0, 100.0
_PER_S_EACH, _BURST_EACH = 5.0, 40.0  # From one address, which a whole school may share: most is left for others.
_ADDRESSES_KEPT = 1_000
_REFUSALS: dict[Refused, tuple[int, str]] = {
    "unknown_region": (422, "This centre serves no region with this code. Take the code from a page under /p/."),
    "too_many_places": (409, "This browser is subscribed to as many places as it may be. End one of them first."),
    "full": (503, "This centre keeps no more subscriptions. Its operator may raise push.subscriptions_max."),
}


@dataclass(frozen=True, slots=True)
class Push:
    """What browsers subscribe with.

    Attributes:
        key: The public key of ours that push services ask for.
        services: Hosts of the push services that are taken.
        most: Subscriptions in all.
    """

    key: str
    services: tuple[str, ...]
    most: int


class Subscribing:
    """Serves /push/. The one part of the public site that writes: one subscription at a time, and few a second."""

    def __init__(self, push: Push, *, monotonic: Callable[[], float]) -> None:
        self._push = push
        self._monotonic = monotonic
        self._pace = Pace(monotonic)
        self._paces: OrderedDict[str, Pace] = OrderedDict()
        self._turn = asyncio.Lock()

    def routes(self) -> list[Route]:
        """Return the two addresses."""
        return [
            Route("/push/key", self._key),
            Route("/push/subscriptions", self._serve, methods=["POST", "DELETE"]),
        ]

    async def _key(self, request: Request) -> Response:
        del request
        return JSONResponse({"key": self._push.key}, headers={"Cache-Control": "no-cache"})

    async def _serve(self, request: Request) -> Response:
        if not self._pace_of(address_of(request.scope)).lets_through() or not self._pace.lets_through():
            raise Problem(429, "Too many ask at once. Try again in a minute.", headers={"Retry-After": "60"})
        asked = await _asked(request)
        async with self._turn:
            return await (self._subscribe if request.method == "POST" else self._unsubscribe)(request, asked)

    def _pace_of(self, address: str) -> "Pace":
        """Return the pace of one address, so that nobody takes all there is; those not heard of the longest are forgotten."""
        pace = self._paces.pop(address, None) or Pace(self._monotonic, per_s=_PER_S_EACH, burst=_BURST_EACH)
        self._paces[address] = pace
        while len(self._paces) > _ADDRESSES_KEPT:
            self._paces.popitem(last=False)
        return pace

    async def _subscribe(self, request: Request, asked: dict[str, Any]) -> Response:
        try:
            subscription = Subscription.read(asked.get("subscription"), self._push.services)
        except BadSubscription as error:
            raise Problem(422, str(error)) from None
        if "instead_of" in asked:
            return await self._move(request, subscription, _text(asked, "instead_of"))
        doors = doors_of(request)
        region, lang = _text(asked, "region"), _text(asked, "lang", most=_LANG_MAX)
        refused = await doors.ledger.write(
            subscriptions.subscribe,
            subscription=subscription,
            region=region,
            lang=lang,
            jurisdiction=doors.node.jurisdiction,
            most=self._push.most,
            now_ms=to_ms(doors.clock.now()),
        )
        if refused is not None:
            raise Problem(*_REFUSALS[refused])
        return JSONResponse({"region": region, "lang": lang}, 201, {"Cache-Control": "no-store"})

    async def _move(self, request: Request, subscription: Subscription, endpoint: str) -> Response:
        """Take a browser's new address; who knows the old one was there."""
        ledger = doors_of(request).ledger
        moved = await ledger.write(subscriptions.move, old_hash=endpoint_hash(endpoint), subscription=subscription)
        if not moved:
            raise Problem(404, "Nobody is subscribed with the former address. Subscribe on the page of a place.")
        return Response(status_code=204)

    async def _unsubscribe(self, request: Request, asked: dict[str, Any]) -> Response:
        endpoint = _text(asked, "endpoint")
        region = None if asked.get("region") is None else _text(asked, "region")
        ledger = doors_of(request).ledger
        await ledger.write(subscriptions.unsubscribe, endpoint_hash=endpoint_hash(endpoint), region=region)
        return Response(status_code=204)


class Pace:
    """Lets a number of requests a second through, and for a moment more."""

    def __init__(self, monotonic: Callable[[], float], *, per_s: float = _PER_S, burst: float = _BURST) -> None:
        self._monotonic = monotonic
        self._per_s, self._burst = per_s, burst
        self._left = burst
        self._at = monotonic()

    def lets_through(self) -> bool:
        """Count one request; False = too many."""
        now = self._monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


async def _asked(request: Request) -> dict[str, Any]:
    """Return the JSON object of the body, which no page of another site can send: its kind would be asked about first (CORS).

    Raises:
        Problem: There is none, or it is too long.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "Send JSON with Content-Type application/json.")
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > _BODY_MAX:
                raise Problem(413, f"The body is larger than {_BODY_MAX} bytes. A subscription is smaller.")
    except ClientDisconnect:
        raise Problem(400, "The connection broke before the body was whole.") from None
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise Problem(400, "The body is no JSON object.")
    return asked


def _text(asked: dict[str, Any], name: str, *, most: int = 1_024) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not value or len(value) > most or not value.isprintable():
        raise Problem(422, f"{name} is missing or no text of 1 to {most} characters.")
    return value
