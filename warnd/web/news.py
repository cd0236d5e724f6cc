"""What open pages and boards are told live: each change of what is in force, once, in order, from wherever the listener stopped.

Nothing is queued for a listener. The site keeps its last changes once for all of them, and each stream only knows how far it has
told them; who was away for longer than that gets the whole picture.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from warnd.clock import Clock
from warnd.ledger.views import Place
from warnd.web.doors import doors_of
from warnd.web.pages import Pages
from warnd.web.places import Places
from warnd.web.site import Change, Picture, Site
from warnd.web.sse import EventStream, address_of, event

_NUMBER_MOST = 12  # Digits.


class News:
    """Opens the streams of the public site."""

    def __init__(self, *, site: Site, places: Places, pages: Pages) -> None:
        self._site = site
        self._places = places
        self._pages = pages

    async def events(self, request: Request) -> Response:
        """Tell, live, what has changed: everywhere, or at ?place=."""
        code = request.query_params.get("place")
        place = None if code is None else await self._places.find(code)
        if code is not None and place is None:
            return await self._pages.error(request, 404)
        streams = doors_of(request).site_streams
        if streams.is_full_for(address_of(request.scope)):
            answered = await self._pages.error(request, 503)
            answered.headers["Retry-After"] = "30"
            return answered
        greeting = sign_of_life(doors_of(request).clock)()
        listener = Listener(self._site, self._places, place, told=self._told(request), greeting=greeting)
        return EventStream(streams, listener.look)

    def _told(self, request: Request) -> int | None:
        """Return the number of the last picture that the listener was told; None = none of this start."""
        run, _, number = request.headers.get("last-event-id", "").partition("-")
        if run != self._site.run or not (number.isascii() and number.isdigit()) or len(number) > _NUMBER_MOST:
            return None
        return int(number)


class Listener:
    """Knows how far one listener has been told."""

    def __init__(
        self, site: Site, places: Places, place: Place | None, *, told: int | None, greeting: bytes = b""
    ) -> None:
        self._site = site
        self._places = places
        self._place = place
        self._told = told
        self._greeting = greeting  # What time it is, so that whoever is cut off later knows since when.

    async def look(self) -> bytes:
        """Return what the listener has not been told yet."""
        greeting, self._greeting = self._greeting, b""
        return greeting + await self._news()

    async def _news(self) -> bytes:
        picture = await self._site.settled()
        if picture.number == self._told:
            return b""
        missed = None if self._told is None else self._site.since(self._told)
        self._told = picture.number
        if missed is None:
            return await self._whole(picture)
        return b"".join([await self._change(each) for each in missed])

    async def _whole(self, picture: Picture) -> bytes:
        local = picture if self._place is None else await self._places.local(picture, self._place)
        return self._event(
            picture.number,
            version=local.version,
            at=local.changed_at,
            full=True,
            warnings=[each.warning.id for each in local.warnings],
            new=[],
            gone=[],
        )

    async def _change(self, change: Change) -> bytes:
        ids = {*change.warnings, *(each[0] for each in change.new), *(each[0] for each in change.gone)}
        here = ids if self._place is None else await self._places.touching(self._place, ids)
        new = [{"id": id_, "level": level, "kind": kind} for id_, level, kind in change.new if id_ in here]
        gone = [{"id": id_, "why": why} for id_, why in change.gone if id_ in here]
        if self._place is not None and not new and not gone:
            return b""
        return self._event(
            change.number,
            version=change.version
            if self._place is None
            else None,  # A place's own is told with the whole picture only.
            at=change.at,
            full=False,
            warnings=[each for each in change.warnings if each in here],
            new=new,
            gone=gone,
        )

    def _event(self, number: int, *, at: datetime, **more: object) -> bytes:
        told = {"at": _time(at), **more}
        return event("site", data=json.dumps(told), id_=f"{self._site.run}-{number}")


def sign_of_life(clock: Clock) -> Callable[[], bytes]:
    """Return what makes the heartbeat of a stream: a comment is enough for proxies, but a page's script never sees one."""

    def made() -> bytes:
        return b": still here\n" + event("alive", data=json.dumps({"at": _time(clock.now())}))

    return made


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
