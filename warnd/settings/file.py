"""Gives pydantic-settings the values of a settings file whose lines are known."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from warnd.settings.document import Document
from warnd.settings.toml_lines import Path


class SettingsFile(PydanticBaseSettingsSource):
    """The file beneath the environment: the library's own reader of TOML would lose the lines."""

    def __init__(self, settings_cls: type[BaseSettings], document: Document) -> None:
        super().__init__(settings_cls)
        self._values = _without(document.values, document.variables)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the value that the file has for one section, its key, and that nothing in it is left to decode."""
        del field
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return everything in the file, also keys that are unknown: validation refuses them by name and line."""
        return self._values


def _without(values: Mapping[str, Any], paths: Iterable[Path]) -> dict[str, Any]:
    """Return `values` without what stands at `paths`.

    The library merges tables, but a variable that gives a whole table replaces the file's, or no variable could take
    an entry away, and the file's mistakes would be told of the variable.
    """
    gone = {path[0] for path in paths if len(path) == 1}
    inside = {key: [path[1:] for path in paths if len(path) > 1 and path[0] == key] for key in values}
    return {
        key: _without(value, inside[key]) if isinstance(value, dict) else value
        for key, value in values.items()
        if key not in gone
    }
