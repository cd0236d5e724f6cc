"""Recordings kept per phrase: made by people beforehand, for languages that no engine speaks, chosen by hazard and level."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from warnd.model.cap.language import primary_language
from warnd.model.level import Level
from warnd.render.clean import clean
from warnd.render.speech.sound import SpeechError, recorded
from warnd.settings import Problem, SettingsError
from warnd.settings.document import Document, read_toml
from warnd.settings.kinds import Language, LevelWord, Name, Names, Table

INDEX = "index.toml"
_TRANSCRIPT_MAX = 300  # Characters; a signed command holds 16 KiB for all its languages.
_CHECKED_KBPS = 32

Use = Literal["warning", "drill"]


class _Entry(Table):
    lang: Language = Field(description='the language that is spoken, like "bo"')
    file: Name = Field(description="an MP3 or WAV file in the same folder")
    text: Annotated[str, Field(min_length=1, max_length=_TRANSCRIPT_MAX)] = Field(
        description=f"what is said, in at most {_TRANSCRIPT_MAX} characters"
    )
    use: Use = Field(default="warning", description='"warning", or "drill" for what is said round a drill')
    hazards: Names = Field(default=(), description='CAP events or event codes like ["洪水"]; none = every hazard')
    levels: tuple[LevelWord, ...] = Field(default=(), description='levels like ["red"]; none = every level')


class _Index(Table):
    recording: tuple[_Entry, ...] = Field(default=(), description="tables [[recording]]")


@dataclass(frozen=True, slots=True)
class Phrase:
    """One recording of the stock.

    Attributes:
        sha256: Of the file when it was read; another one since is not trusted.
        text: What is said, for displays and records.
    """

    lang: str
    path: Path
    sha256: str
    text: str
    use: Use
    hazards: frozenset[str]
    levels: frozenset[Level]

    def media(self) -> bytes:
        """Return the file.

        Raises:
            SpeechError: It cannot be read, or is not what it was.
        """
        try:
            media = self.path.read_bytes()
        except OSError as error:
            raise SpeechError(f"{self.path} cannot be read: {error.strerror}") from error
        if hashlib.sha256(media).hexdigest() != self.sha256:
            raise SpeechError(f"{self.path} has changed since warnd started; restart warnd, which looks at it again")
        return media


class Phrases:
    """The stock."""

    def __init__(self, phrases: Sequence[Phrase] = ()) -> None:
        self._phrases = tuple(phrases)

    def __len__(self) -> int:
        """Return how many recordings there are."""
        return len(self._phrases)

    def find(self, lang: str, *, hazards: Sequence[str], level: Level | None) -> Phrase | None:
        """Return the recording for a warning: those that name its hazard go before those for any; then the first in the index."""
        fitting = (
            each
            for each in self._phrases
            if (each.use, each.lang) == ("warning", lang)
            and (not each.hazards or each.hazards & {hazard.casefold() for hazard in hazards})
            and (not each.levels or level in each.levels)
        )
        return min(fitting, key=lambda each: not each.hazards, default=None)

    def drill_mark(self, lang: str) -> Phrase | None:
        """Return what is said round a drill in this language."""
        return next((each for each in self._phrases if (each.use, each.lang) == ("drill", lang)), None)


def read_phrases(folder: Path) -> Phrases:
    """Read the index of a folder, and look at every recording it names.

    Raises:
        SettingsError: With every problem found.
    """
    document = read_toml(folder / INDEX)
    try:
        index = _Index.model_validate(document.values)
    except ValidationError as error:
        raise SettingsError(document.problems(error, shape=_Index)) from error
    found: list[Phrase] = []
    problems: list[Problem] = []
    for place, entry in enumerate(index.recording):
        try:
            found.append(_phrase(folder, entry))
        except SpeechError as error:
            problems += _told(document, place, str(error))
    if problems:
        raise SettingsError(problems)
    return Phrases(found)


def _phrase(folder: Path, entry: _Entry) -> Phrase:
    path = (folder / entry.file).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise SpeechError(f"{entry.file} lies outside of the folder")
    try:
        media = path.read_bytes()
    except OSError as error:
        raise SpeechError(f"{path} cannot be read: {error.strerror}") from error
    recorded(media, kbps=_CHECKED_KBPS)
    lang = primary_language(entry.lang)
    text = clean(entry.text, lang=lang)
    if not text:
        raise SpeechError("its text has no words")
    return Phrase(
        lang=lang,
        path=path,
        sha256=hashlib.sha256(media).hexdigest(),
        text=text,
        use=entry.use,
        hazards=frozenset(hazard.casefold() for hazard in entry.hazards),
        levels=frozenset(entry.levels),
    )


def _told(document: Document, place: int, cause: str) -> Iterator[Problem]:
    yield document.problem(
        ("recording", place, "file"), f"The recording cannot be used: {cause}.", "Give an MP3 or 16-bit PCM WAV file."
    )
