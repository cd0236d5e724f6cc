"""Speech: what loudspeakers say as recordings, made by an engine or by people. Makes them; what a message says is decided elsewhere."""

from warnd.render.speech.configured import studio_of
from warnd.render.speech.rehearsal import rehearse
from warnd.render.speech.sound import Sound, SpeechError
from warnd.render.speech.studio import Part, Studio
from warnd.render.speech.uploads import notes

__all__ = ["Part", "Sound", "SpeechError", "Studio", "notes", "rehearse", "studio_of"]
