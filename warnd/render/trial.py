"""Tries every template at start, with a message that uses everything, so that a broken one is found before a warning comes."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError

from warnd.model.level import Level
from warnd.render.facts import CancelKind, MessageFacts, Wording
from warnd.render.pieces import PIECES, Pieces, file_of, is_html
from warnd.render.words import Words, words

_ISSUED = datetime(2026, 7, 3, 7, 30, tzinfo=UTC)
_CANCELS: tuple[CancelKind | None, ...] = ("lift", "retract", None)


def problems(
    pieces: Pieces, folder: Path, *, channels: Collection[str], languages: tuple[str, ...], timezone: ZoneInfo
) -> list[str]:
    """Return what is wrong with the texts of some channels, one sentence each: file, line where known, cause, fix."""
    return [
        problem
        for channel in PIECES
        if channel.partition(".")[0] in channels
        for lang in languages
        for problem in _of_file(pieces, folder / file_of(channel, lang), channel=channel, lang=lang, timezone=timezone)
    ]


def _of_file(pieces: Pieces, path: Path, *, channel: str, lang: str, timezone: ZoneInfo) -> Iterator[str]:
    try:
        module = pieces.module(channel, lang)
    except TemplateNotFound:
        yield f"{path}: there is no such file. Write it after its neighbour, or take {lang!r} out of node.languages."
        return
    except TemplateSyntaxError as error:
        yield f"{path}, line {error.lineno}: {error.message}. Correct the template."
        return
    except (TemplateError, OSError, UnicodeDecodeError) as error:
        yield f"{path}: {error}. Correct the template."
        return
    for piece in PIECES[channel]:
        if not hasattr(module, piece):
            yield f"{path}: the macro {piece!r} is missing. Write {{% macro {piece}({', '.join(('w', *PIECES[channel][piece]))}) %}}."
        else:
            yield from _of_piece(pieces, path, channel=channel, piece=piece, lang=lang, timezone=timezone)


def _of_piece(pieces: Pieces, path: Path, *, channel: str, piece: str, lang: str, timezone: ZoneInfo) -> Iterator[str]:
    values = {name: f"<{name}>" for name in PIECES[channel][piece]}
    for w in _samples(lang, timezone):
        try:
            said = pieces.say(channel, piece, w, **values)
        except (TemplateError, TypeError, ValueError, AttributeError) as error:
            yield f"{path}: the macro {piece!r} fails: {error}. Correct the template."
            return
        shown = escape if is_html(path.name) else str
        lost = [name for name, value in values.items() if shown(value) not in said]
        if lost:
            yield f"{path}: the macro {piece!r} does not say {', '.join(lost)}. Print each of its arguments."
            return


def _samples(lang: str, timezone: ZoneInfo) -> Iterator[Words]:
    for cancel in _CANCELS:
        wording = Wording(
            lang=lang, info=1, source="<source>", event="<event>", area="", description="", instruction=""
        )
        message = MessageFacts(
            level=Level.RED,
            issued_at=_ISSUED,
            starts_at=_ISSUED,
            ends_at=_ISSUED + timedelta(hours=30),
            cancel=cancel,
            wordings=(wording,),
        )
        yield words(message, purpose="warning", lang=lang, timezone=timezone, drill=False)
