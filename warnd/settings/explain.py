"""Says in an operator's words what pydantic found wrong with one value, and what to write instead."""

from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from warnd.settings.toml_lines import Path

_SHOWN = 60  # Characters of a wrong value that an error quotes.


class UnfitError(ValueError):
    """Raised by our own validators: a cause and a fix, each a sentence."""

    def __init__(self, cause: str, fix: str) -> None:
        self.cause, self.fix = cause, fix
        super().__init__(f"{cause} {fix}")


def explain(error: ErrorDetails, *, path: Path, shape: type[BaseModel]) -> tuple[str, str]:
    """Return (cause, fix) for one of pydantic's findings.

    Args:
        error: The finding.
        path: Where it is, in a value that should have been a `shape`.
        shape: The outermost model; the descriptions of its fields say what is expected.
    """
    match error["type"]:
        case "extra_forbidden":
            # The value is not quoted: a secret put where none belongs must not reach a log.
            return "There is no such key.", _suggestion(path, shape)
        case "missing":
            return "It is missing.", _instruction(path, shape)
        case "value_error" if isinstance(complaint := error["ctx"]["error"], UnfitError):
            return complaint.cause, complaint.fix
        case _:
            return f"Found {_shown(error['input'])}; {_expected(error)}.", _instruction(path, shape)


def is_echo(error: ErrorDetails) -> bool:
    """Say whether this only repeats that entries of a list are wrong: too few are left, though enough were written."""
    return error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]


def _expected(error: ErrorDetails) -> str:
    match error["type"]:
        case "model_type" | "dict_type":
            return "a table is expected here"
        case "tuple_type" | "list_type":
            return "a list is expected here"
        case "too_short" | "string_too_short":
            return "it should not be empty"
        case _:
            return error["msg"].replace("Input should", "it should").split(", unable")[0]


def _instruction(path: Path, shape: type[BaseModel]) -> str:
    known = _field(path, shape)
    return f"Write {known.description}." if known and known.description else "Correct the value."


def _suggestion(path: Path, shape: type[BaseModel]) -> str:
    keys = sorted(_keys(_model(path[:-1], shape)))
    near = get_close_matches(str(path[-1]), keys, n=1)
    return f'Did you mean "{near[0]}"?' if near else f"Take it out; known here: {', '.join(keys)}."


def _shown(value: Any) -> str:
    match value:
        case str():
            return f'"{value}"' if len(value) <= _SHOWN else f'"{value[:_SHOWN]}…"'
        case bool():
            return str(value).lower()
        case dict():
            return "a table"
        case list():
            return "a list"
        case _:
            return str(value)[:_SHOWN]


def _keys(model: type[BaseModel] | None) -> list[str]:
    return [known.alias or name for name, known in model.model_fields.items()] if model else []


def _field(path: Path, shape: type[BaseModel]) -> FieldInfo | None:
    """Return the innermost field on the way to `path`: of an entry of a list, the list's."""
    for end in range(len(path), 0, -1):
        model = _model(path[: end - 1], shape)
        for name, known in model.model_fields.items() if model else ():
            if (known.alias or name) == path[end - 1]:
                return known
    return None


def _model(path: Path, shape: type[BaseModel]) -> type[BaseModel] | None:
    """Return the model that the table at `path` is, or None where it is a free mapping or no table."""
    model: type[BaseModel] | None = shape
    for step in path:
        if isinstance(step, int):
            continue
        fields = {known.alias or name: known for name, known in model.model_fields.items()} if model else {}
        model = _inner(fields[step].annotation) if step in fields else None
    return model


def _inner(annotation: Any) -> type[BaseModel] | None:
    """Find the one model within an annotation such as `Mqtt | None` or `tuple[Plan, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _inner(part))), None)
