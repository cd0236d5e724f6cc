"""The public pages: plain HTML that needs no script, in the visitor's language, under 20 KB."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from warnd.model import cap
from warnd.web.doors import Doors, doors_of
from warnd.web.feed import ATOM_TYPE, CAP_TYPE, atom
from warnd.web.language import choose
from warnd.web.site import Shown, Site
from warnd.web.sse import EventStream, event
from warnd.web.wording import CARD, PAGE, PageWarning, Room, Words, page_warning

_STATIC = {
    "site.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_UP_TO_DATE = "public, max-age=1, must-revalidate"
_ONE_HOUR = "public, max-age=3600"
_CARDS = 8  # Warnings on the front page with what to do; the next ones by name, so that the page stays under 20 KB.
_LINES = 24


class Pages:
    """Renders the public site from `templates/web`, which is read once."""

    def __init__(
        self, folder: Path, *, site: Site, languages: tuple[str, ...], sender_names: Mapping[str, str]
    ) -> None:
        self._site = site
        self._sender_names = sender_names
        self._words = {path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.toml"))}
        # The node's languages first: a visitor whose language we do not have gets the one read here.
        self._languages = [
            *(lang for lang in languages if lang in self._words),
            *(lang for lang in self._words if lang not in languages),
        ]
        self._static = {name: (folder / "static" / name).read_bytes() for name in _STATIC}
        self._templates = Environment(
            loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, auto_reload=False
        )

    async def index(self, request: Request) -> Response:
        """Show what is in force."""
        doors = doors_of(request)
        picture = await self._site.picture()
        lang = choose(request, self._languages)
        made = picture.changed_at.astimezone(doors.node.timezone).strftime(self._words[lang]["time_format"])
        shown = [self._warning(each, lang, doors, room=CARD) for each in picture.warnings[: _CARDS + _LINES]]
        return self._html(
            request,
            "index.html.j2",
            lang,
            picture.version,
            cards=shown[:_CARDS],
            lines=shown[_CARDS:],
            left=len(picture.warnings) - len(shown),
            made=made,
        )

    async def warning(self, request: Request) -> Response:
        """Show one warning, in force or past."""
        found = await self._site.find(request.path_params["id"])
        if found is None:
            return await self.error(request, 404)
        lang = choose(request, self._languages)
        picture = await self._site.picture()
        banner = f"banner_{found.warning.state}"
        return self._html(
            request,
            "warning.html.j2",
            lang,
            picture.version,
            shown=self._warning(found, lang, doors_of(request)),
            banner=self._words[lang].get(banner, ""),
            newer=found.warning.replaced_by,
            older=found.warning.replaces if found.warning.cancels else None,
        )

    async def static(self, request: Request) -> Response:
        """Serve one of the files that the pages use."""
        name = request.path_params["name"]
        if name not in self._static:
            return await self.error(request, 404)
        return _cached(request, self._static[name], _STATIC[name], cache=_ONE_HOUR)

    async def error(self, request: Request, status: int) -> Response:
        """Say that there is no such page, or that it cannot be shown."""
        lang = choose(request, self._languages)
        words = self._words[lang]
        kind = "not_found" if status == HTTPStatus.NOT_FOUND else "error"
        body = self._render("error.html.j2", request, lang, "", title=words[f"{kind}_title"], detail=words[kind])
        return HTMLResponse(body, status, {"Cache-Control": "no-store"})

    async def feed(self, request: Request) -> Response:
        """Give the Atom feed, in the node's first language."""
        doors = doors_of(request)
        lang = self._languages[0]
        picture = await self._site.picture()
        pages = [(each, self._warning(each, lang, doors)) for each in (*picture.warnings, *picture.cancels)]
        title = f"{self._words[lang]['site_title']} · {doors.node.name}"
        body = atom(picture, pages, title=title, public_url=doors.public_url, lang=self._words[lang]["language"])
        return _cached(request, body, f"{ATOM_TYPE}; charset=utf-8", cache=_UP_TO_DATE)

    async def document(self, request: Request) -> Response:
        """Give one warning as CAP 1.2, in force or past."""
        found = await self._site.find(request.path_params["id"])
        if found is None:
            return await self.error(request, 404)
        return _cached(request, cap.write(found.alert), CAP_TYPE, cache=_UP_TO_DATE)

    async def events(self, request: Request) -> Response:
        """Tell, live, that the site has changed."""
        streams = doors_of(request).site_streams
        if streams.full:
            return await self.error(request, 503)
        return EventStream(streams, _Watcher(self._site).look)

    def _warning(self, shown: Shown, lang: str, doors: Doors, *, room: Room = PAGE) -> PageWarning:
        return page_warning(
            shown,
            words=self._words[lang],
            prefer=(lang, *doors.node.languages),
            timezone=doors.node.timezone,
            sender_names=self._sender_names,
            room=room,
        )

    def _html(self, request: Request, template: str, lang: str, version: str, **values: Any) -> Response:
        body = self._render(template, request, lang, version, **values).encode()
        return _cached(request, body, "text/html; charset=utf-8", cache=_UP_TO_DATE)

    def _render(self, template: str, request: Request, lang: str, version: str, **values: Any) -> str:
        words: Mapping[str, Words] = self._words
        return self._templates.get_template(template).render(
            w=words[lang],
            lang=lang,
            languages=[(code, words[code]["own_name"], words[code]["language"]) for code in self._languages],
            node=doors_of(request).node.name,
            version=version,
            **values,
        )


def _cached(request: Request, body: bytes, media_type: str, *, cache: str) -> Response:
    """Return the body, or 304 if the visitor has it already."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    headers = {"ETag": tag, "Cache-Control": cache, "Vary": "Accept-Language"}
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if tag in known or known == ["*"]:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=media_type)


class _Watcher:
    """Remembers what one visitor's page shows."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._told = ""

    async def look(self) -> bytes:
        """Return the site's version if it has changed."""
        picture = await self._site.settled()
        if picture.version == self._told:
            return b""
        self._told = picture.version
        in_force = [each.warning.id for each in picture.warnings]
        return event("site", data=json.dumps({"version": picture.version, "warnings": in_force}))
