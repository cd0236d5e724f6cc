"""Display boards: one screen in a village hall that says, to people who stand ten metres away, what is in force here.

The page carries no claim that it cannot keep: cut off from the centre, its script says so in large letters and lets warnings run out
by the centre's clock. Without a script it loads itself again and again, one slide after the other.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from warnd.ledger.views import Place
from warnd.web.display_slides import PARTS_MOST, SLIDES_MOST, WARNINGS_MOST, Slide, in_languages, slides
from warnd.web.doors import Doors, doors_of
from warnd.web.language import Choice
from warnd.web.pages import Pages
from warnd.web.places import Places
from warnd.web.sheets import Sheets
from warnd.web.site import Picture, Shown, Site
from warnd.web.wording import COLOURED

_SLIDE_MOST = 999


class Boards:
    """Makes the boards' pages."""

    def __init__(self, *, site: Site, places: Places, sheets: Sheets, pages: Pages) -> None:
        self._site = site
        self._places = places
        self._sheets = sheets
        self._pages = pages

    async def show(self, request: Request) -> Response:
        """Show a place's board; ?n= is the slide with which it begins."""
        place = await self._places.find(request.path_params["code"])
        if place is None or place.region is None:
            return await self._pages.error(request, 404)
        doors = doors_of(request)
        picture = await self._places.local(await self._site.picture(), place)
        found = self._slides(picture, doors)
        body = self._render(request, place, picture, found, doors)
        return HTMLResponse(body, headers={"Cache-Control": "no-store"})

    def _slides(self, picture: Picture, doors: Doors) -> list[Slide]:
        """Return one round of slides; the more there is to say, the shorter each warning says it."""
        made: list[Slide] = []
        for parts_most in range(PARTS_MOST, 0, -1):
            made = [
                slide
                for shown in picture.warnings[:WARNINGS_MOST]
                for lang in in_languages(doors.node.languages, self._sheets.languages, shown.alert.languages())
                for slide in self._in(shown, lang, doors, parts_most)
            ]
            if len(made) <= SLIDES_MOST:
                break
        return made[:SLIDES_MOST]

    def _in(self, shown: Shown, lang: str, doors: Doors, parts_most: int) -> list[Slide]:
        words = lang if lang in self._sheets.languages else self._sheets.languages[0]
        choice = Choice(words=words, chosen=lang, wanted=(lang, words), reads=frozenset({lang}))
        page = self._pages.wording(shown, choice, doors)
        return slides(
            page,
            words=words,
            text=page.instruction or self._sheets.words(words)["no_instruction"],
            expires_at=shown.warning.expires,
            parts_most=parts_most,
        )

    def _render(self, request: Request, place: Place, picture: Picture, found: Sequence[Slide], doors: Doors) -> bytes:
        assert place.region is not None
        now = doors.clock.now()
        at = _number(request.query_params.get("n", "")) % len(found) if found else 0
        langs = [lang for lang in doors.node.languages if lang in self._sheets.languages] or self._sheets.languages[:1]
        choice = Choice(words=langs[0], chosen=langs[0], wanted=tuple(langs), reads=frozenset(langs))
        left = len(picture.warnings) - len({slide.page.id for slide in found})
        values: dict[str, Any] = {
            "place": place,
            "slides": found,
            "at": at,
            "count": len(picture.warnings),
            "left": left,
            "langs": [(lang, self._sheets.words(lang)) for lang in langs],
            "words": self._sheets.words,
            "local": lambda when, lang: self._sheets.short(when.astimezone(doors.node.timezone), lang),
            "milliseconds": _milliseconds,
            "coloured": COLOURED,
            "now": now,
        }
        return self._sheets.render("display.html.j2", choice, path=request.url.path, version=picture.version, **values)


def _milliseconds(at: datetime | None) -> str:
    """Return milliseconds since 1970 for the script, or nothing."""
    return "" if at is None else str(round(at.astimezone(UTC).timestamp() * 1000))


def _number(given: str) -> int:
    return min(int(given), _SLIDE_MOST) if given.isascii() and given.isdigit() and len(given) <= 3 else 0  # noqa: PLR2004 - digits of _SLIDE_MOST
