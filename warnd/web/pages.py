"""The public pages: plain HTML that needs no script, in the visitor's language, under 20 KB."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from warnd.ledger.views import Place
from warnd.model import cap
from warnd.web.cached import ONE_HOUR, Body, Shelf, answer
from warnd.web.doors import Doors, doors_of
from warnd.web.feed import CAP_TYPE
from warnd.web.language import Choice
from warnd.web.places import FOUND_MOST, Places
from warnd.web.sheets import Sheets
from warnd.web.site import Picture, Shown, Site
from warnd.web.wording import CARD, PAGE, PageWarning, Room, page_warning, plain

_HTML = "text/html; charset=utf-8"
_CARDS = 8  # Warnings on the front page with what to do; the next ones by name, so that the page stays under 20 KB.
_LINES = 16
_CARDS_HERE = 4  # On a place's page, which also has the places below it.
_LINES_HERE = 12
_ENDED_HERE = 3
_QUERY_MAX = 60


class Pages:
    """Renders the public site."""

    def __init__(self, *, site: Site, places: Places, sheets: Sheets, sender_names: Mapping[str, str]) -> None:
        self._site = site
        self._places = places
        self._sheets = sheets
        self._sender_names = sender_names
        self._shelf = Shelf()

    async def index(self, request: Request) -> Response:
        """Show what is in force."""
        picture = await self._site.picture()
        return self._made(request, "index.html.j2", picture, (_CARDS, _LINES))

    async def place(self, request: Request) -> Response:
        """Show what is in force at one place, and what lies above and below it."""
        code, after = request.path_params["code"], request.query_params.get("after", "")
        place = await self._places.find(code)
        if place is None:
            return await self._no_place(request)
        if after:
            place = await self._places.page(code, after=after) or place
        picture = await self._places.local(await self._site.picture(), place)
        return self._made(request, "place.html.j2", picture, (_CARDS_HERE, _LINES_HERE), place=place)

    async def places(self, request: Request) -> Response:
        """Find places by name, or show those with which to begin."""
        query = plain(request.query_params.get("q"), _QUERY_MAX)
        found = await self._places.named(query) if query else []
        place = await self._places.outermost(after=request.query_params.get("after", ""))
        body = self._page(
            request, "places.html.j2", query=query, found=found[:FOUND_MOST], more=len(found) > FOUND_MOST, place=place
        )
        return answer(request, Body(body, _HTML))

    async def warning(self, request: Request) -> Response:
        """Show one warning, in force or past."""
        found = await self._site.find(request.path_params["id"])
        if found is None:
            return await self.error(request, 404)
        choice = self._sheets.choice(request)
        picture = await self._site.picture()
        body = self._page(
            request,
            "warning.html.j2",
            version=picture.version,
            others=found.alert.languages(),
            shown=self.wording(found, choice, doors_of(request)),
            banner=self._sheets.words(choice.words).get(f"banner_{found.warning.state}", ""),
            newer=found.warning.replaced_by,
            older=found.warning.replaces if found.warning.cancels else None,
        )
        return answer(request, Body(body, _HTML))

    async def static(self, request: Request) -> Response:
        """Serve one of the files that the pages use."""
        name = request.path_params["name"]
        if name not in self._sheets.static:
            return await self.error(request, 404)
        kind, content = self._sheets.static[name]
        body = self._shelf.get(("static", name)) or self._shelf.put(("static", name), Body(content, kind))
        return answer(request, body, cache=ONE_HOUR)

    async def document(self, request: Request) -> Response:
        """Give one warning as CAP 1.2, in force or past."""
        found = await self._site.find(request.path_params["id"])
        if found is None:
            return await self.error(request, 404)
        return answer(request, Body(cap.write(found.alert), CAP_TYPE, changed_at=found.warning.released_at))

    async def error(self, request: Request, status: int) -> Response:
        """Say that there is no such page, or that it cannot be shown."""
        words = self._sheets.words(self._sheets.choice(request).words)
        kind = "not_found" if status == HTTPStatus.NOT_FOUND else "error"
        body = self._page(request, "error.html.j2", title=words[f"{kind}_title"], detail=words[kind])
        return HTMLResponse(body, status, {"Cache-Control": "no-store"})

    async def _no_place(self, request: Request) -> Response:
        body = self._page(
            request, "places.html.j2", query="", found=[], more=False, place=await self._places.outermost(), lost=True
        )
        return HTMLResponse(body, 404, {"Cache-Control": "no-store"})

    def wording(self, shown: Shown, choice: Choice, doors: Doors, *, room: Room = PAGE) -> PageWarning:
        """Return one warning as a page lays it out for this visitor."""
        return page_warning(
            shown,
            words=self._sheets.words(choice.words),
            prefer=choice.wanted,
            timezone=doors.node.timezone,
            sender_names=self._sender_names,
            room=room,
        )

    def _made(
        self, request: Request, template: str, picture: Picture, room: tuple[int, int], *, place: Place | None = None
    ) -> Response:
        """Return a page of what is in force; it is made once a minute for all who read the same."""
        doors, choice = doors_of(request), self._sheets.choice(request)
        now = doors.clock.now().astimezone(doors.node.timezone).replace(second=0, microsecond=0)
        after = request.query_params.get("after", "")
        key = (request.url.path, after, choice.key, picture.version, now)
        body = self._shelf.get(key)
        if body is None:
            cards, lines = room
            shown = [self.wording(each, choice, doors, room=CARD) for each in picture.warnings[: cards + lines]]
            ended = picture.cancels[:_ENDED_HERE] if place is not None else ()
            content = self._page(
                request,
                template,
                version=picture.version,
                others=_languages(picture),
                cards=shown[:cards],
                lines=shown[cards:],
                left=len(picture.warnings) - len(shown),
                ended=[self.wording(each, choice, doors, room=CARD) for each in ended],
                as_of=self._sheets.local(now, choice.words),
                place=place,
            )
            body = self._shelf.put(key, Body(content, _HTML))
        return answer(request, body)

    def _page(self, request: Request, template: str, **values: Any) -> bytes:
        values = {"lost": False, **values}
        return self._sheets.render(template, self._sheets.choice(request), path=request.url.path, **values)


def _languages(picture: Picture) -> list[str]:
    return list(dict.fromkeys(lang for each in picture.warnings for lang in each.alert.languages()))
