"""The small language in which a gateway is described: templates with `{names}`, JSON pointers, patterns. Grammar only, no gateway.

Nothing here escapes: a filled piece goes through the `escape` of the place it is put into (an address, a header, a form), so that a text
can never end a field and begin another.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from warnd.settings.explain import UnfitError

_PIECE = re.compile(r"(\{\{|\}\})|\{([a-z][a-z0-9_]*)\}|([{}])")


def names_in(template: str) -> frozenset[str]:
    """Return the names that a template uses."""
    return frozenset(found[2] for found in _PIECE.finditer(template) if found[2])


def alone(template: str) -> str | None:
    """Return the name if the template is nothing but "{name}"; such a value may be a list or a number in JSON."""
    found = _PIECE.fullmatch(template)
    return found[2] if found else None


def fill(template: str, values: Mapping[str, str], *, escape: Callable[[str], str] = str) -> str:
    """Return the template with each `{name}` replaced by its escaped value; `{{` and `}}` stand for one brace.

    Raises:
        KeyError: A name has no value; settings are checked so that this is a programmer's error.
    """
    return _PIECE.sub(lambda found: found[1][0] if found[1] else escape(values[found[2]]), template)


def point(document: Any, pointer: str) -> Any:
    """Return what stands at a JSON pointer (RFC 6901), or None where nothing does."""
    here = document
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        match here:
            case dict():
                here = here.get(key)
            case list() if re.fullmatch(r"0|[1-9][0-9]{0,8}", key) and int(key) < len(here):
                here = here[int(key)]
            case _:
                return None
    return here


def word(value: Any) -> str | None:
    """Return a plain JSON value as the text that settings compare it with (0 is "0", true is "true"); None for anything else."""
    match value:
        case bool():
            return str(value).lower()
        case str() | int() | float():
            return str(value).strip()
        case _:
            return None


def check_pointer(value: str) -> str:
    """Return a JSON pointer as it is.

    Raises:
        UnfitError: It is none.
    """
    if (value and not value.startswith("/")) or re.search(r"~(?![01])", value):
        raise UnfitError(f'"{value}" is no JSON pointer.', 'Write it like "/data/0/code"; a "/" in a key is "~1".')
    return value


def check_pattern(value: str) -> str:
    """Return a regular expression as it is.

    Raises:
        UnfitError: It is none, or has not exactly one group.
    """
    try:
        groups = re.compile(value).groups
    except re.error as error:
        raise UnfitError(f'"{value}" is no regular expression ({error}).', "Correct the pattern.") from error
    if groups != 1:
        cause = f'"{value}" has {groups} groups; exactly one says what is meant.'
        raise UnfitError(cause, 'Put round brackets about what is looked for, as in "^code=([0-9]+)".')
    return value


def _template(value: str) -> str:
    stray = next((found for found in _PIECE.finditer(value) if found[3]), None)
    if stray:
        cause = f'The brace at character {stray.start() + 1} of "{value}" belongs to no {{name}}.'
        raise UnfitError(cause, 'Write names like "{text}", and "{{" or "}}" where a brace is meant.')
    return value


TemplateText = Annotated[str, Field(max_length=4000), AfterValidator(_template)]
Pointer = Annotated[str, Field(max_length=200), AfterValidator(check_pointer)]


def check_templates(value: Any) -> Any:
    """Check every text in a table of fields, however deep; return the table as it is.

    Raises:
        UnfitError: A text is no template, or a value is of a kind that JSON does not have.
    """
    match value:
        case str():
            _template(value)
        case dict():
            for inner in value.values():
                check_templates(inner)
        case list():
            for inner in value:
                check_templates(inner)
        case bool() | int() | float():
            pass
        case _:
            raise UnfitError(f"{value!r} is no text, number, list or table.", "Write texts in quotes.")
    return value


def templates_in(value: Any, at: str) -> list[tuple[str, str]]:
    """Return (where, template) for every text within a value, "where" as an operator reads it."""
    match value:
        case str():
            return [(at, value)]
        case dict():
            return [each for key, inner in value.items() for each in templates_in(inner, f"{at}.{key}")]
        case list():
            return [each for number, inner in enumerate(value, 1) for each in templates_in(inner, f"{at}[{number}]")]
        case _:
            return []
