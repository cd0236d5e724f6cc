"""The template files: which pieces (macros) each must have, and calling them by name."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.environment import TemplateModule

from warnd.render.words import Words

_NOTE = {
    "warning_title": (),
    "warning": ("area", "action", "description"),
    "cancel_title": (),
    "cancel": ("area", "description"),
    "area_title": (),
    "area": ("area",),
}
PIECES: dict[str, dict[str, tuple[str, ...]]] = {
    "sms": {
        "head": ("place", "lead"),
        "details": ("area", "action", "description"),
        "cancel": ("place", "description"),
        "area": ("place",),
    },
    "email": {
        "warning_title": ("place",),
        "warning": ("area", "action", "description", "link"),
        "cancel_title": ("place",),
        "cancel": ("area", "description", "link"),
        "area_title": ("place",),
        "area": ("area", "link"),
    },
    "email.html": {
        "warning": ("title", "mark", "area", "action", "description", "link"),
        "cancel": ("title", "mark", "area", "description", "link"),
        "area": ("title", "mark", "area", "link"),
    },
    "push": _NOTE,
    "apprise": _NOTE,
    "mqtt": {
        "warning": ("area", "action", "description"),
        "cancel": ("area", "description"),
        "area": (),
    },
}
"""Channel, or "channel.html" -> macro -> its arguments after `w`."""


def file_of(channel: str, lang: str) -> str:
    """Return where a channel's pieces stand: "sms/zh.j2", or for "email.html" "email/zh.html.j2"."""
    folder, dot, kind = channel.partition(".")
    return f"{folder}/{lang}{dot}{kind}.j2"


def is_html(file: str | None) -> bool:
    """Say whether values are escaped in a file."""
    return file is not None and file.endswith(".html.j2")


class Pieces:
    """The macros of `<folder>/<channel>/<lang>.j2` (see `file_of`), read when first asked for and kept."""

    def __init__(self, folder: Path) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(folder),
            undefined=StrictUndefined,
            autoescape=is_html,  # noqa: S701 - the rest is plain text for phones and voices; values were cleaned when taken from CAP
        )
        self._modules: dict[tuple[str, str], TemplateModule] = {}

    def module(self, channel: str, lang: str) -> TemplateModule:
        """Return a file's macros.

        Raises:
            jinja2.TemplateError: The file is missing or does not compile.
        """
        key = (channel, lang)
        if key not in self._modules:
            self._modules[key] = self._environment.get_template(file_of(channel, lang)).module
        return self._modules[key]

    def say(self, channel: str, piece: str, w: Words, **values: str) -> str:
        """Return one piece as text, given those of the values that it takes; they are data and never read as a template."""
        taken = {name: values[name] for name in PIECES[channel][piece]}
        return str(getattr(self.module(channel, w.lang), piece)(w, **taken))
