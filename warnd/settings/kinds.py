"""The kinds of values that settings, plans and authority are made of, with errors that say what to write.

Relative paths are joined to the folder that `relative_to` names while values are read.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from warnd.model.level import Level
from warnd.settings.explain import UnfitError

_SECRET_MAX_BYTES = 4096
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")  # BCP 47, as far as a name of a template needs it.
# Not pydantic's validation context: BaseSettings validates in its constructor, which hands none on.
_folder_here: ContextVar[Path] = ContextVar("folder", default=Path())


@contextmanager
def relative_to(folder: Path) -> Iterator[None]:
    """Let relative paths that are read within start at `folder`; elsewhere they start at the working directory."""
    token = _folder_here.set(folder)
    try:
        yield
    finally:
        _folder_here.reset(token)


def joined(path: str) -> Path:
    """Return `path` from the folder at which relative paths start now."""
    return _folder_here.get() / path


class Table(BaseModel):
    """A TOML table in which every key is known and nothing changes afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Separated(str):
    """A text from an environment variable: where a list is expected, it is JSON or has commas between the entries."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server listens. Port 0 = any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return it as it is written in settings."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listed(value: Any) -> Any:
    """Return the list that a text from an environment variable stands for; other values as they are."""
    if not isinstance(value, Separated):
        return value
    if not value.startswith("["):
        return [part.strip() for part in value.split(",") if part.strip()]
    try:
        return json.loads(value)
    except ValueError as error:
        raise UnfitError(f"It begins like a JSON list but is none ({error}).", 'Write it like ["a", "b"].') from error


def _not_bool(value: Any) -> Any:
    if isinstance(value, bool):  # Python would take true as 1.
        raise UnfitError(f"Found {str(value).lower()}; it should be a number.", "Write digits without quotes.")
    return value


def _path(value: Any) -> Any:
    if value == "":
        raise UnfitError("The path is empty.", "Write a path, or take the key out.")
    return joined(value) if isinstance(value, str) else value


def _found(path: Path) -> Path:
    try:
        found = path.is_file()
    except PermissionError as error:
        raise UnfitError(f"{path} cannot be reached by this user.", "Name a file that this user may read.") from error
    if not found:
        raise UnfitError(f"There is no file {path}.", "Create it, or name another.")
    return path


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise UnfitError(f"There is no folder {path}.", "Create it, or name another.")
    return path


def _secret(value: Any) -> Any:
    path = _path(value)
    if not isinstance(path, Path):
        return path
    try:
        kept = _found(path).read_bytes()[: _SECRET_MAX_BYTES + 1]
        secret = kept.decode("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UnfitError(f"{path} cannot be read as text.", "Name a text file that this user may read.") from error
    if not secret or "\n" in secret or len(kept) > _SECRET_MAX_BYTES:
        raise UnfitError(f"{path} does not hold one line.", "Write the secret, and nothing else, into it.")
    return secret


def _endpoint(value: Any) -> Endpoint:
    parts = (
        re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/\[\]]+)):(\d{1,5})", value) if isinstance(value, str) else None
    )
    if not parts or int(parts[3]) > 65535:  # noqa: PLR2004 - the largest TCP port
        raise UnfitError(f'Found {_quoted(value)}; it should be "HOST:PORT".', 'Write it like "127.0.0.1:8080".')
    return Endpoint(host=parts[1] or parts[2], port=int(parts[3]))


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and parts.hostname and not (parts.query or parts.fragment)
    except ValueError:
        usable = False
    if not usable:
        raise UnfitError(f'Found "{value}"; it should be a web address.', 'Write it like "https://warn.example.org".')
    return value.rstrip("/")


def _timezone(value: Any) -> ZoneInfo:
    try:
        return ZoneInfo(value)
    except (KeyError, ValueError, TypeError, OSError) as error:
        cause = f"Found {_quoted(value)}; no such time zone is known here."
        raise UnfitError(cause, 'Write an IANA name like "Asia/Shanghai".') from error


def _level(value: Any) -> Level:
    try:
        return Level.named(value)
    except ValueError as error:
        cause = f"Found {_quoted(value)}; it should be a level."
        raise UnfitError(cause, 'Write "red", "orange", "yellow" or "blue".') from error


def _language(value: str) -> str:
    if not _LANGUAGE.fullmatch(value):
        raise UnfitError(f'Found "{value}"; it should be a language tag.', 'Write one like "zh" or "en".')
    return value


def _unique(values: tuple[str, ...]) -> tuple[str, ...]:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise UnfitError(f'"{value}" stands here twice.', "Take one of them out.")
    return values


def _quoted(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


Name = Annotated[str, Field(min_length=1, max_length=200)]
Names = Annotated[tuple[Name, ...], BeforeValidator(listed), AfterValidator(_unique)]
Language = Annotated[Name, AfterValidator(_language)]
Languages = Annotated[tuple[Language, ...], BeforeValidator(listed), AfterValidator(_unique), Field(min_length=1)]
Whole = Annotated[int, BeforeValidator(_not_bool)]
Count = Annotated[Whole, Field(ge=1, le=10_000)]
Seconds = Annotated[Whole, Field(ge=1, le=31_536_000)]
Port = Annotated[Whole, Field(ge=1, le=65535)]
Rate = Annotated[float, BeforeValidator(_not_bool), Field(gt=0, le=1_000_000, allow_inf_nan=False)]
PathName = Annotated[Path, BeforeValidator(_path)]
ExistingFile = Annotated[PathName, AfterValidator(_found)]
ExistingFolder = Annotated[PathName, AfterValidator(_folder)]
SecretText = BeforeValidator(_secret)
Listen = Annotated[Endpoint, PlainValidator(_endpoint)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
Timezone = Annotated[ZoneInfo, PlainValidator(_timezone)]
LevelWord = Annotated[Level, PlainValidator(_level)]
