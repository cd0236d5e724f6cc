"""Renders `templates/web`: every public page in the words of the visitor's language. Read once, so that no visit reads a file."""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request

from warnd.web.doors import Node
from warnd.web.language import Choice, choose, direction, own_name
from warnd.web.wording import Words

_STATIC = {
    "site.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "board.css": "text/css; charset=utf-8",
    "board.js": "text/javascript; charset=utf-8",
    "push.js": "text/javascript; charset=utf-8",
    "push-worker.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_OTHERS_MOST = 8  # Languages offered beside those that the page itself has.


class Sheets:
    """The templates, their words, and the files beside them.

    Attributes:
        static: Name -> media type and content.
        languages: Those that there are words for, the node's first: a visitor whose language we do not have gets those.
    """

    def __init__(self, folder: Path, *, node: Node, public_url: str, push: bool = False) -> None:
        self._words: Mapping[str, Words] = {
            path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.toml"))
        }
        self._node_languages = node.languages
        self._node_name = node.name
        self._public_url = public_url.rstrip("/")
        self._timezone = node.timezone
        self.languages = [
            *(lang for lang in node.languages if lang in self._words),
            *(lang for lang in self._words if lang not in node.languages),
        ]
        self.static = {name: (kind, (folder / "static" / name).read_bytes()) for name, kind in _STATIC.items()}
        self._templates = Environment(
            loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, auto_reload=False
        )
        self._templates.globals["push"] = push  # Whether browsers may subscribe.
        self._templates.globals["direction"] = direction
        self._templates.globals["own_name"] = own_name
        self._templates.globals["home"] = node.languages[0]  # The language of regions' own names.

    def choice(self, request: Request) -> Choice:
        """Return what the visitor reads."""
        return choose(request, available=self.languages, node=self._node_languages)

    def words(self, lang: str) -> Words:
        """Return the words of a language that there are words for."""
        return self._words[lang]

    def local(self, at: datetime, lang: str) -> str:
        """Return a time as people of the language write it; `at` is in the zone to be shown."""
        return at.strftime(self._words[lang]["time_format"])

    def short(self, at: datetime, lang: str) -> str:
        """Return a time as short as a board has room for."""
        return at.strftime(self._words[lang]["time_short"])

    def render(
        self, template: str, choice: Choice, *, path: str, version: str = "", others: Sequence[str] = (), **values: Any
    ) -> bytes:
        """Return a page.

        Args:
            template: File name.
            choice: Whose languages it is made for.
            path: Of the page, without a query.
            version: Marks what it shows; "" = nothing that an open page would follow.
            others: Languages of the texts on it, which may be chosen too.
            **values: What the template shows.
        """
        offered = [*self.languages, *(lang for lang in others if lang not in self.languages)][
            : len(self.languages) + _OTHERS_MOST
        ]
        text = self._templates.get_template(template).render(
            w=self._words[choice.words],
            choice=choice,
            lang=choice.link,
            offered=[(lang, self._tag(lang), self._own_name(lang)) for lang in offered],
            node=self._node_name,
            address=self._public_url + quote(path),
            path=path,
            version=version,
            zone=self._timezone.key,
            **values,
        )
        return text.encode()

    def _tag(self, lang: str) -> str:
        return self._words[lang]["language"] if lang in self._words else lang

    def _own_name(self, lang: str) -> str:
        return self._words[lang]["own_name"] if lang in self._words else own_name(lang)
