"""What is in force for programs: Atom and JSON, of everything or of one place, made once for all who ask."""

import asyncio
from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from warnd.ledger.views import Place
from warnd.web.cached import Body, Shelf, answer
from warnd.web.doors import Doors, doors_of
from warnd.web.feed import ATOM_TYPE, atom
from warnd.web.json_feed import json_feed
from warnd.web.language import Choice
from warnd.web.pages import Pages
from warnd.web.places import Places
from warnd.web.sheets import Sheets
from warnd.web.site import Picture, Site

_JSON_TYPE = "application/json"


class Feeds:
    """Makes the feeds."""

    def __init__(self, *, site: Site, places: Places, sheets: Sheets, pages: Pages) -> None:
        self._site = site
        self._places = places
        self._sheets = sheets
        self._pages = pages
        self._shelf = Shelf()
        self._turn = asyncio.Lock()

    async def atom(self, request: Request) -> Response:
        """Give the Atom feed in the language of ?lang=, else in the node's first: readers ask for none and mean none."""
        return await self._atom(request, None)

    async def place_atom(self, request: Request) -> Response:
        """Give the Atom feed of one place."""
        place = await self._places.find(request.path_params["code"])
        return await self._pages.error(request, 404) if place is None else await self._atom(request, place)

    async def json(self, request: Request) -> Response:
        """Give everything in force as JSON; of one place with ?place=."""
        code = request.query_params.get("place")
        return await self._json(request, None) if code is None else await self._json_of(request, code)

    async def place_json(self, request: Request) -> Response:
        """Give what is in force at one place as JSON."""
        return await self._json_of(request, request.path_params["code"])

    async def _json_of(self, request: Request, code: str) -> Response:
        place = await self._places.find(code)
        return await self._pages.error(request, 404) if place is None else await self._json(request, place)

    async def _atom(self, request: Request, place: Place | None) -> Response:
        doors, choice = doors_of(request), self._feed_choice(request)
        picture = await self._picture(place)
        made = partial(self._make_atom, picture, place, choice=choice, doors=doors)
        return answer(
            request, await self._made(("atom", _code(place), choice.key, picture.version, picture.changed_at), made)
        )

    async def _json(self, request: Request, place: Place | None) -> Response:
        picture = await self._picture(place)
        public_url = doors_of(request).public_url

        def made() -> Body:
            content = json_feed(picture, place=place, public_url=public_url)
            return Body(content, _JSON_TYPE, changed_at=picture.changed_at)

        return answer(request, await self._made(("json", _code(place), "", picture.version, picture.changed_at), made))

    async def _picture(self, place: Place | None) -> Picture:
        picture = await self._site.picture()
        return picture if place is None else await self._places.local(picture, place)

    async def _made(self, key: tuple[object, ...], make: Callable[[], Body]) -> Body:
        found = self._shelf.get(key)
        if found is None:
            async with self._turn:  # Many ask in the same moment; one makes it, off the loop, for all.
                found = self._shelf.get(key) or self._shelf.put(key, await asyncio.to_thread(make))
        return found

    def _feed_choice(self, request: Request) -> Choice:
        choice = self._sheets.choice(request)
        lang = choice.chosen or self._sheets.languages[0]
        words = lang if lang in self._sheets.languages else self._sheets.languages[0]
        node = tuple(dict.fromkeys((lang, words, *doors_of(request).node.languages)))
        return Choice(words=words, chosen=choice.chosen, wanted=node, reads=frozenset({lang}))

    def _make_atom(self, picture: Picture, place: Place | None, *, choice: Choice, doors: Doors) -> Body:
        words = self._sheets.words(choice.words)
        query = f"?lang={choice.chosen}" if choice.chosen else ""
        code = _code(place)
        named = doors.node.name
        if place is not None and place.region is not None:
            named = place.region.names.get(choice.words) or place.region.name
        content = atom(
            picture,
            [(each, self._pages.wording(each, choice, doors)) for each in picture.all],
            title=f"{words['site_title']} · {named}",
            public_url=doors.public_url,
            path=f"/feed/{code or 'cap'}.atom{query}",
            page_path=(f"/p/{code}" if code else "/") + query,
            lang=words["language"],
        )
        return Body(content, f"{ATOM_TYPE}; charset=utf-8", changed_at=picture.changed_at)


def _code(place: Place | None) -> str:
    return place.region.code if place is not None and place.region is not None else ""
