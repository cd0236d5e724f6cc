"""Builds the studio that `[speech]` describes, with every file it names read and checked."""

from collections.abc import Sequence

from warnd.render.speech.engine import Engine
from warnd.render.speech.lexicon import Lexicon, read_lexicon
from warnd.render.speech.phrases import Phrases, read_phrases
from warnd.render.speech.studio import Studio
from warnd.settings import Speech


def studio_of(own: Speech | None, *, languages: Sequence[str]) -> Studio | None:
    """Return the studio; None = [speech] is off.

    Raises:
        SettingsError: The lexicon, the index of people's recordings or one of them has a problem.
    """
    if own is None:
        return None
    engine = Engine(
        own.engine,
        voices=own.voices,
        words_per_minute=own.words_per_minute,
        timeout_s=own.timeout_s,
        lexicon=Lexicon() if own.lexicon_file is None else read_lexicon(own.lexicon_file),
    )
    phrases = Phrases() if own.recordings_dir is None else read_phrases(own.recordings_dir)
    return Studio(engine, phrases=phrases, languages=languages, also=own.also or (), kbps=own.bitrate_kbps)
