"""Turns a command into the clips of one pass: the tone, then each language in the order given, recording or local voice."""

from dataclasses import dataclass
from typing import Final

import structlog

from warnd.model.loudspeaker import DRILL_ROOT, Amplifier, Audio, Command, Speech, Why
from warnd.model.mp3 import NotMp3Error, read_mp3
from warnd.model.wave import NotWaveError
from warnd.terminal.mp3 import NoSoundError, decode
from warnd.terminal.output import Output
from warnd.terminal.recordings import RecordingError, Recordings
from warnd.terminal.voice import NoVoiceError, Voice
from warnd.terminal.wave import Clip, chime, duration_ms

_DRILL_MARKS: Final = {"zh": ("【演练】", "演练。"), "en": ("[EXERCISE]", "Exercise. ")}
_NO_TONE: Final = (None, False, 0, "", "none")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass sounds.

    Attributes:
        clips: In order; empty if nothing can be said.
        trouble: Why something is said otherwise than commanded; None = as commanded.
    """

    clips: tuple[Clip, ...]
    trouble: Why | None


class Speaker:
    """A voice, recordings, and somewhere for the sound to go.

    Args:
        voice: Speaks where there is no recording, or none that can be used.
        recordings: None = every recording is replaced by the voice.
        listened: False where nobody hears: an MP3 is then measured and not decoded.
    """

    def __init__(
        self, voice: Voice, output: Output, *, recordings: Recordings | None = None, listened: bool = True
    ) -> None:
        self._voice = voice
        self._output = output
        self._recordings = recordings
        self._listened = listened

    def amplifier(self) -> Amplifier:
        """Return what is known of the amplifier now."""
        return self._output.amplifier()

    async def sound(self, clip: Clip, volume: int) -> None:
        """Sound one clip at 0..100.

        Raises:
            OutputError: It did not sound whole.
        """
        await self._output.sound(clip, volume)

    async def prepare(self, command: Command) -> Pass:
        """Return the clips of one pass.

        A language that cannot be said is left out and told; the others are said all the same.
        """
        said: list[Clip] = []
        trouble: Why | None = None
        for speech in command.speech:
            clip, cause = await self._clip(speech, drill=command.root == DRILL_ROOT)
            trouble = trouble or cause
            if clip is not None:
                said.append(clip)
        if command.speech and not said:
            return Pass((), trouble)
        tone = () if command.tone in _NO_TONE and command.speech else (chime(drill=command.root == DRILL_ROOT),)
        return Pass((*tone, *said), trouble)

    async def _clip(self, speech: Speech, *, drill: bool) -> tuple[Clip | None, Why | None]:
        trouble = None
        if speech.audio is not None:
            try:
                return await self._recording(speech.audio), None
            except RecordingError as error:
                _log.warning("recording_replaced_by_voice", reason=error.reason, cause=str(error))
                trouble = error.reason
        try:
            return await self._voice.say(speech.lang, _marked(speech) if drill else speech.text), trouble
        except NoVoiceError as error:
            _log.error("no_voice", cause=str(error), fix="install espeak-ng with a voice for this language")
            return None, trouble or Why.NO_VOICE

    async def _recording(self, audio: Audio) -> Clip:
        if self._recordings is None:
            raise RecordingError(Why.AUDIO_FETCH, "recordings are off here; allow their hosts with --audio-host")
        sound = await self._recordings.get(audio)
        try:
            return Clip(sound, duration_ms(sound))
        except NotWaveError as no_wave:
            try:
                length_ms = read_mp3(sound).duration_ms  # Never as its sender measured.
                return await decode(sound) if self._listened else Clip(b"", length_ms)
            except (NotMp3Error, NoSoundError) as error:
                cause = f"{audio.url} cannot be played here: {error} ({no_wave}); send MP3 or PCM WAV"
                raise RecordingError(Why.AUDIO_FETCH, cause) from error


def _marked(speech: Speech) -> str:
    """Return a drill's text beginning with its mark: a drill cannot sound like the real thing."""
    written, spoken = _DRILL_MARKS.get(speech.lang.lower().split("-")[0], _DRILL_MARKS["en"])
    return speech.text if written in speech.text else f"{spoken}{speech.text}"
