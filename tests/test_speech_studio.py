"""What is said, in which order, by whom: people's recordings first, and nothing in a drill that could be the real thing."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.speaking import Booth, tone_mp3, tone_wav
from tests.simulation.documents import flood
from warnd.channel import Text
from warnd.model.cap.alert import Alert, Info, Resource
from warnd.model.level import Level
from warnd.model.mp3 import read_mp3
from warnd.render.speech.engine import Engine
from warnd.render.speech.lexicon import Lexicon, read_lexicon
from warnd.render.speech.phrases import INDEX, Phrases, read_phrases
from warnd.render.speech.sound import SpeechError
from warnd.render.speech.studio import Part, Studio
from warnd.render.speech.uploads import notes
from warnd.settings import SettingsError
from warnd.terminal import mp3

TEXTS = (Text("zh", "洪水红色预警。"), Text("en", "Red flood warning."))
STOCK = """
[[recording]]
lang = "bo"
file = "any.mp3"
text = "any hazard"

[[recording]]
lang = "bo"
file = "flood.wav"
text = "ཆུ་ལོག"
hazards = ["洪水", "FLOOD"]
levels = ["red", "orange"]
"""


def sound(media: bytes, **changes: str) -> Resource:
    """Return a resource that carries a recording."""
    return replace(
        Resource(description="recording", mime_type="audio/mpeg", deref_uri=base64.b64encode(media).decode()), **changes
    )


def with_sound(lang: str, *resources: Resource, alert: Alert | None = None) -> Alert:
    """Return a flood warning with recordings in one of its languages, or in one that it then has."""
    base = alert or flood()
    if not base.infos_for(lang):
        first = base.infos[0]
        extra = replace(first, language=lang, event="ཆུ་ལོག", headline="ཆུ་ལོག་ཉེན་བརྡ།", instruction="འགྲོ།")
        base = replace(base, infos=(*base.infos, extra))
    wanted = base.info_for(lang)

    def given(info: Info) -> Info:
        return replace(info, resources=resources) if info is wanted else info

    return replace(base, infos=tuple(given(info) for info in base.infos))


def stock(folder: Path, index: str = STOCK) -> Phrases:
    (folder / "any.mp3").write_bytes(tone_mp3(500))
    (folder / "flood.wav").write_bytes(tone_wav(800))
    (folder / INDEX).write_text(index, "utf-8")
    return read_phrases(folder)


def studio(*, phrases: Phrases | None = None, also: Sequence[str] = (), engine: Engine | None = None) -> Studio:
    none = Engine(["none"], voices={})
    return Studio(engine or none, phrases=phrases or Phrases(), languages=("zh", "en"), also=also)


def parts(made: Studio, alert: Alert, *, level: Level = Level.RED, drill: bool = False) -> tuple[Part, ...]:
    return made.parts(alert, TEXTS, level=level, drill=drill)


def langs(found: Sequence[Part]) -> list[str]:
    return [part.lang for part in found]


async def test_without_an_engine_and_recordings_the_texts_go_alone() -> None:
    found = parts(studio(), flood())
    assert [(part.lang, part.text, part.key) for part in found] == [(text.lang, text.text, None) for text in TEXTS]
    with pytest.raises(SpeechError, match="no voice"):
        await studio().make(found[0])


async def test_a_recording_in_a_language_that_nobody_else_speaks_is_played_first_as_it_came() -> None:
    media = tone_mp3(900)
    found = parts(studio(), with_sound("bo-CN", sound(media)))
    assert langs(found) == ["bo", "zh", "en"]
    assert (found[0].text, found[0].optional) == ("ཆུ་ལོག་ཉེན་བརྡ། འགྲོ།", True)
    made = await studio().make(found[0])
    assert (made.media, made.sha256) == (media, hashlib.sha256(media).hexdigest())
    assert 900 <= made.duration_ms < 1000


async def test_a_recording_in_a_language_of_the_node_takes_the_place_of_its_voice_and_keeps_its_text() -> None:
    found = parts(studio(), with_sound("en", sound(tone_wav(700), mime_type="audio/x-wav")))
    assert [(part.lang, part.text, part.optional) for part in found] == [
        ("en", "Red flood warning.", False),
        ("zh", "洪水红色预警。", False),
    ]
    assert (await studio().make(found[0])).duration_ms == 700


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        (Resource(description="", mime_type="audio/mpeg", uri="https://example.org/a.mp3"), "audio_not_fetched"),
        (sound(tone_mp3(500), digest="0" * 40), "audio_digest"),
        (sound(b"nonsense"), "audio_unusable"),
        (sound(b"", deref_uri="***"), "audio_unusable"),
        (sound(tone_mp3(500), digest=hashlib.sha1(tone_mp3(500)).hexdigest().upper()), None),
        (sound(tone_mp3(500), digest=hashlib.sha256(tone_mp3(500)).hexdigest()), None),
        (Resource(description="", mime_type="image/png", uri="https://example.org/a.png"), None),
    ],
)
async def test_what_is_wrong_with_a_recording_is_named_and_it_is_not_played(
    resource: Resource, code: str | None
) -> None:
    alert = with_sound("bo", resource)
    assert [note.code for note in studio().notes(alert)] == ([code] if code else [])
    assert all(note.element == "info[3]/resource[1]" for note in studio().notes(alert))
    good = code is None and resource.mime_type != "image/png"
    assert set(studio().supplied(alert, level=Level.RED, drill=False)) == ({"bo"} if good else set())
    for part in parts(studio(), alert):
        if part.lang == "bo" and not good:
            with pytest.raises(SpeechError):
                await studio().make(part)


def test_a_recording_that_nobody_plays_is_named() -> None:
    assert [note.code for note in notes(with_sound("bo", sound(tone_mp3(500))), used=False)] == ["audio_off"]


async def test_the_stock_speaks_where_the_warning_has_no_recording(tmp_path: Path) -> None:
    made = studio(phrases=stock(tmp_path), also=["bo"])
    found = parts(made, flood())
    assert (found[0].lang, found[0].text) == ("bo", "ཆུ་ལོག")
    assert (await made.make(found[0])).duration_ms == 800
    assert parts(made, flood(), level=Level.BLUE)[0].text == "any hazard"
    assert parts(made, with_sound("bo", sound(tone_mp3(500))))[0].text == "ཆུ་ལོག་ཉེན་བརྡ། འགྲོ།"
    assert langs(parts(studio(phrases=stock(tmp_path)), flood())) == ["zh", "en"]
    assert dict(made.supplied(flood(), level=Level.RED, drill=False)) == {"bo": "ཆུ་ལོག"}


async def test_a_stock_that_was_changed_behind_our_back_is_not_played(tmp_path: Path) -> None:
    made = studio(phrases=stock(tmp_path), also=["bo"])
    (tmp_path / "flood.wav").write_bytes(tone_wav(900))
    with pytest.raises(SpeechError, match="changed since warnd started"):
        await made.make(parts(made, flood())[0])
    assert made.supplied(flood(), level=Level.RED, drill=False) == {}


@pytest.mark.parametrize(
    ("index", "told"),
    [
        (
            '[[recording]]\nlang = "bo"\nfile = "gone.mp3"\ntext = "x"',
            "index.toml:3: recording.1..file: .*No such file",
        ),
        ('[[recording]]\nlang = "bo"\nfile = "../any.mp3"\ntext = "x"', "lies outside"),
        ('[[recording]]\nlang = "bo"\nfile = "any.mp3"', "recording\\[1\\].text: It is missing"),
        ('[[recording]]\nlang = "bo"\nfile = "index.toml"\ntext = "x"', "neither MP3 nor WAV"),
        ('[[recording]]\nlang = "bo"\nfile = "any.mp3"\ntext = "x"\nlevels = ["purple"]', "purple"),
        ("recording = 7", "recording"),
    ],
)
def test_an_index_that_cannot_be_used_says_where_and_why(tmp_path: Path, index: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        stock(tmp_path, index)


# Drills.


def drilled(alert: Alert) -> Alert:
    return replace(alert, status="Exercise")


async def test_in_a_drill_a_recording_that_nothing_can_mark_is_refused_with_that_reason(tmp_path: Path) -> None:
    alert = drilled(with_sound("bo", sound(tone_mp3(500))))
    made = studio(phrases=stock(tmp_path), also=["bo"])
    assert langs(parts(made, alert, drill=True)) == ["zh", "en"]
    assert [note.code for note in made.notes(alert)] == ["audio_without_drill_mark"]
    assert made.supplied(alert, level=Level.RED, drill=True) == {}


@pytest.mark.parametrize("media", [tone_mp3(500), tone_mp3(500, rate_hz=44_100, channels=2), tone_wav(500)])
async def test_in_a_drill_a_recording_has_the_words_of_a_drill_round_it_in_one_piece(
    tmp_path: Path, media: bytes
) -> None:
    booth = Booth(tmp_path, length_ms=700)
    made = studio(engine=Engine([str(booth.program)], voices={"zh": "a"}))
    alert = drilled(with_sound("bo", sound(media)))
    found = parts(made, alert, drill=True)[0]
    assert found.text.startswith("This is an exercise.")
    assert made.notes(alert) == ()
    marked = await made.make(found)
    assert booth.said() == ["演练，演练，这是演练。", "演练，这是演练。"]
    assert 1900 <= marked.duration_ms < 2200
    whole = read_mp3(marked.media)
    assert abs(whole.duration_ms - marked.duration_ms) < 10
    assert found.key != parts(made, replace(alert, status="Actual"))[0].key


async def test_in_a_drill_a_recorded_mark_in_its_own_language_goes_before_the_engines(tmp_path: Path) -> None:
    index = STOCK + '[[recording]]\nlang = "bo"\nfile = "mark.wav"\ntext = "སྦྱོང་བརྡར།"\nuse = "drill"\n'
    (tmp_path / "mark.wav").write_bytes(tone_wav(300))
    booth = Booth(tmp_path)
    made = studio(phrases=stock(tmp_path, index), also=["bo"], engine=Engine([str(booth.program)], voices={"zh": "a"}))
    marked = await made.make(parts(made, drilled(flood()), drill=True)[0])
    assert booth.said() == []
    assert 1400 <= marked.duration_ms < 1700


@pytest.mark.skipif(not mp3.installed(), reason="mpg123 is not installed")
async def test_a_marked_recording_can_be_played(tmp_path: Path) -> None:
    booth = Booth(tmp_path)
    made = studio(engine=Engine([str(booth.program)], voices={"zh": "a"}))
    for media in (tone_mp3(500), tone_mp3(500, rate_hz=44_100, channels=2)):
        marked = await made.make(parts(made, drilled(with_sound("bo", sound(media))), drill=True)[0])
        assert abs((await mp3.decode(marked.media)).duration_ms - marked.duration_ms) < 80


# The lexicon.


def test_the_longest_name_counts_and_names_within_words_do_not() -> None:
    lexicon = Lexicon({"zh": {"六安": "甲", "六安市": "乙"}, "en": {"Reading": "Redding"}})
    assert lexicon.say("六安市与六安", lang="zh") == "乙与甲"
    assert lexicon.say("Reading, Readings", lang="en") == "Redding, Readings"
    assert lexicon.say("六安", lang="en") == "六安"


def test_the_shipped_lexicon_can_be_read() -> None:
    lexicon = read_lexicon(Path(__file__).parents[1] / "config" / "lexicon.toml")
    assert lexicon.say("受六安市影响", lang="zh") == "受lu4 an1市影响"
    assert len(lexicon) > 10


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[zh]\n"演练" = "注意"', "lexicon.toml:2: .*by which a drill is known"),
        ('[zh]\n"六安" = ""', "lexicon.toml:2: .*words in quotes"),
        ('[zh]\n"六安" = 7', "words in quotes"),
        ('zh = "六安"', "no table of a language"),
        (f'[zh]\n"六安" = "{"x" * 101}"', "longer than 100"),
        ("[zh", "This is not TOML"),
    ],
)
def test_a_lexicon_that_cannot_be_used_says_where_and_why(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "lexicon.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(SettingsError, match=told):
        read_lexicon(file)
