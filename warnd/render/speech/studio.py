"""What a message's loudspeakers say, part by part, and the recording of each: people's first, then the engine's."""

import asyncio
import hashlib
import json
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from warnd.channel import Text
from warnd.model.cap.alert import Alert, Info
from warnd.model.cap.language import primary_language
from warnd.model.level import Level
from warnd.model.mp3 import Mp3, NotMp3Error, joined, read_mp3
from warnd.model.reason import Reason, Verdict
from warnd.model.wave import read_wave
from warnd.render.clean import clean, without_denial
from warnd.render.marks import marks
from warnd.render.speech import uploads
from warnd.render.speech.engine import Engine
from warnd.render.speech.phrases import Phrase, Phrases
from warnd.render.speech.sound import MEDIA_MAX_BYTES, Sound, SpeechError, encode, recorded, samples, sound_of

_WORDS_MAX: Final = 120  # Characters of a text that only stands beside a person's recording.


@dataclass(frozen=True, slots=True)
class _Said:
    """Sound that the engine makes."""

    lang: str
    text: str


@dataclass(frozen=True, slots=True)
class _Recorded:
    """Sound that a person made; `drill` = the words of a drill go round it."""

    lang: str
    media: Callable[[], bytes]
    drill: bool


@dataclass(frozen=True, slots=True)
class Part:
    """One entry of a command's speech.

    Attributes:
        text: What the terminal's own voice would say.
        key: Equal for equal sound; None = there can be no recording.
        optional: Without its recording it is left out: no template speaks this language, and hardly any voice.
    """

    lang: str
    text: str
    key: str | None = None
    optional: bool = False
    source: _Said | _Recorded | None = None


class Studio:
    """Makes recordings.

    Args:
        languages: The node's, in order of preference.
        also: Languages that people record, in the order in which they are spoken.
        kbps: Of what is encoded here.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        phrases: Phrases,
        languages: Sequence[str],
        also: Sequence[str] = (),
        kbps: int = 32,
    ) -> None:
        self.engine = engine
        self.also = tuple(primary_language(lang) for lang in also)
        self._phrases = phrases
        self._languages = tuple(primary_language(lang) for lang in languages)
        self._kbps = kbps

    @property
    def stock(self) -> int:
        """How many recordings people have made beforehand."""
        return len(self._phrases)

    @property
    def names(self) -> int:
        """How many names the lexicon has."""
        return self.engine.names

    def parts(self, alert: Alert, texts: Sequence[Text], *, level: Level | None, drill: bool) -> tuple[Part, ...]:
        """Return a warning's speech in speaking order: people's recordings, then the texts without one.

        Args:
            alert: The warning.
            texts: What was rendered for loudspeakers.
            level: Its level.
            drill: It is none of the real thing, and every part says so.
        """
        written = {text.lang: text.text for text in texts}
        people = list(self._people(alert, written, level=level, drill=drill))
        spoken = {part.lang for part in people}
        return (*people, *(self._said(text) for text in texts if text.lang not in spoken))

    def supplied(self, alert: Alert, *, level: Level | None, drill: bool) -> Mapping[str, str]:
        """Return language -> what is said, for every language in which a person's recording would be used."""
        usable = {}
        for part in self._people(alert, {}, level=level, drill=drill):
            assert isinstance(part.source, _Recorded)
            try:
                recorded(part.source.media(), kbps=self._kbps)
            except SpeechError:
                continue  # Named by `notes`.
            usable[part.lang] = part.text
        return usable

    def notes(self, alert: Alert) -> tuple[Reason, ...]:
        """Return what an operator should know about the recordings that came with a warning."""
        found = list(uploads.notes(alert, used=True))
        if alert.status != "Actual":
            found += [
                Reason(
                    "audio_without_drill_mark",
                    "info",
                    f"no recording in {lang} is played in a drill: nothing here can say that it is one",
                    f'Keep a recording with use = "drill" and lang = "{lang}", or configure an engine.',
                    Verdict.NOTE,
                )
                for lang in uploads.uploaded(alert)
                if not self._can_mark(lang)
            ]
        return tuple(found)

    async def make(self, part: Part) -> Sound:
        """Return a part's recording.

        Raises:
            SpeechError: There can be none; the text says why.
        """
        match part.source:
            case _Said(lang, text):
                return await asyncio.to_thread(sound_of, await self.engine.say(lang, text), kbps=self._kbps)
            case _Recorded(lang, media, drill):
                sound = await asyncio.to_thread(lambda: recorded(media(), kbps=self._kbps))
                return await self._marked(lang, sound) if drill else sound
            case None:
                raise SpeechError(f"no voice is configured for {part.lang}")

    def _said(self, text: Text) -> Part:
        if not self.engine.speaks(text.lang):
            return Part(text.lang, text.text)
        key = f"{self._kbps} {self.engine.key(text.lang, text.text)}"
        return Part(text.lang, text.text, key, source=_Said(text.lang, text.text))

    # People's recordings.

    def _people(self, alert: Alert, written: Mapping[str, str], *, level: Level | None, drill: bool) -> Iterator[Part]:
        """Yield people's recordings: the languages that only people speak, then the node's own, then whatever else came."""
        came = uploads.uploaded(alert)
        hazards = _hazards(alert)
        spoken_here = dict.fromkeys((*self.also, *self._languages, *came))
        for lang in spoken_here:
            if drill and not self._can_mark(lang):
                continue
            if lang in came:
                info, resource = came[lang]
                text = written.get(lang) or _marked_text(_words(info, lang, drill=drill), lang=lang, drill=drill)
                ident = f"{resource.deref_uri} {resource.digest}"
                yield self._recorded(lang, text, ident, media=partial(uploads.content, resource), drill=drill)
            elif lang not in written and (stock := self._stock(lang, hazards, level)) is not None:
                text = _marked_text(stock.text, lang=lang, drill=drill)
                yield self._recorded(lang, text, stock.sha256, media=stock.media, drill=drill)

    def _stock(self, lang: str, hazards: Sequence[str], level: Level | None) -> Phrase | None:
        return self._phrases.find(lang, hazards=hazards, level=level)

    def _recorded(self, lang: str, text: str, ident: str, *, media: Callable[[], bytes], drill: bool) -> Part:
        made_of = [ident, self._kbps, self._mark_key(lang) if drill else None]
        key = hashlib.sha256(json.dumps(made_of, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()
        return Part(lang, text, f"recorded {key}", lang not in self._languages, _Recorded(lang, media, drill))

    # The words of a drill, without which no recording is played in one.

    def _can_mark(self, lang: str) -> bool:
        return self._phrases.drill_mark(lang) is not None or self._mark_language(lang) is not None

    def _mark_language(self, lang: str) -> str | None:
        """Return in which language the engine says that it is a drill."""
        return next((each for each in (lang, *self._languages) if self.engine.speaks(each) and _has_marks(each)), None)

    def _mark_key(self, lang: str) -> str:
        stock = self._phrases.drill_mark(lang)
        said = self._mark_language(lang)
        if stock is not None or said is None:
            return stock.sha256 if stock is not None else ""
        return self.engine.key(said, marks(said).drill_aloud + marks(said).drill_aloud_end)

    async def _marked(self, lang: str, sound: Sound) -> Sound:
        """Return a recording with the words of a drill before and after it, in one piece that nothing can take apart."""
        recording = read_mp3(sound.media)
        before, after = await self._mark(lang, recording)
        try:
            media = joined([before, recording, after])
        except NotMp3Error as error:
            raise SpeechError(f"the drill's words cannot go round it: {error}; keep them as WAV") from error
        if len(media) > MEDIA_MAX_BYTES:
            raise SpeechError(f"with a drill's words it has {len(media)} bytes; terminals take {MEDIA_MAX_BYTES}")
        return Sound(media, before.duration_ms + recording.duration_ms + after.duration_ms)

    async def _mark(self, lang: str, like: Mp3) -> tuple[Mp3, Mp3]:
        stock, said = self._phrases.drill_mark(lang), self._mark_language(lang)
        if stock is not None:
            mark = await asyncio.to_thread(_stock_mark, stock, like, self._kbps)
            return mark, mark
        if said is None:
            raise SpeechError(f"nothing here can say in {lang} that it is a drill")
        ours = marks(said)
        first, last = await self.engine.say(said, ours.drill_aloud), await self.engine.say(said, ours.drill_aloud_end)
        return (
            await asyncio.to_thread(_fitted, samples(first), first.rate_hz, like, self._kbps),
            await asyncio.to_thread(_fitted, samples(last), last.rate_hz, like, self._kbps),
        )


def _stock_mark(stock: Phrase, like: Mp3, kbps: int) -> Mp3:
    media = stock.media()
    if media[:4] == b"RIFF":
        pcm = read_wave(media)
        mono = samples(pcm)[:: pcm.channels]
        return _fitted(mono, pcm.rate_hz, like, kbps)
    return read_mp3(media)


def _fitted(mono: "array[int]", rate_hz: int, like: Mp3, kbps: int) -> Mp3:
    """Return samples as MP3 of the same rate and channels as a recording, so that the two can be joined."""
    return read_mp3(encode(mono, rate_hz=rate_hz, kbps=kbps, served_hz=like.rate_hz, channels=like.channels))


def _has_marks(lang: str) -> bool:
    """Say whether the words of a drill are written in this language; for others they are English, which its voice would garble."""
    return lang == "en" or marks(lang) != marks("en")


def _hazards(alert: Alert) -> tuple[str, ...]:
    return tuple(
        name for info in alert.infos for name in (info.event, *(value for _, value in info.event_codes)) if name
    )


def _words(info: Info, lang: str, *, drill: bool) -> str:
    """Return what an info says in short, for a language that no template speaks."""
    free = without_denial if drill else str
    said = (clean(each, lang=lang) for each in (info.headline or info.event, info.instruction or info.description))
    return free(" ".join(each for each in said if each))[:_WORDS_MAX]


def _marked_text(text: str, *, lang: str, drill: bool) -> str:
    ours = marks(lang)
    return f"{ours.drill_aloud}{text}{ours.drill_aloud_end}" if drill else text
