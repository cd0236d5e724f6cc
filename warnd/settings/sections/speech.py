"""`[speech]`: recordings that the daemon makes of what loudspeakers say, or takes from people who speak what no engine does."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from warnd.settings.explain import UnfitError
from warnd.settings.kinds import (
    ExistingFile,
    ExistingFolder,
    Language,
    Languages,
    Name,
    Rate,
    Separated,
    Table,
    WebAddress,
    Whole,
    listed,
)

_WITHOUT = "none"
_ADDRESS_MAX = 200  # Characters; the address stands in every signed command, which holds 16 KiB.


def _engine(value: Any) -> Any:
    """Return a program and its options; one name alone is espeak-ng or "none"."""
    name_alone = isinstance(value, str) and not (isinstance(value, Separated) and value.startswith("["))
    return (str(value),) if name_alone else listed(value)


Engine = Annotated[tuple[Name, ...], BeforeValidator(_engine), Field(min_length=1)]


class Speech(Table):
    """Speech made once for all loudspeakers.

    Attributes:
        engine: ("espeak-ng",), ("none",), or a program and its options: text on its standard input, WAV on its standard output.
    """

    engine: Engine = Field(
        default=("espeak-ng",),
        description='"espeak-ng", "none", or a program and its options like ["speak", "--voice", "{voice}"]',
    )
    voices: dict[Language, Name] = Field(
        default={}, description='the voice for a language, as in zh = "cmn-latn-pinyin"'
    )
    words_per_minute: Whole = Field(
        default=150, ge=80, le=300, description="how fast espeak-ng speaks, 80 to 300 words a minute"
    )
    timeout_s: Rate = Field(default=20, le=300, description="seconds in which the engine must have spoken, up to 300")
    wait_s: Rate = Field(
        default=8, le=60, description="seconds for which a command may wait for its recordings, up to 60"
    )
    bitrate_kbps: Whole = Field(default=32, ge=16, le=64, description="the recordings' kbit/s, 16 to 64")
    keep_mb: Whole = Field(
        default=200, ge=10, le=100_000, description="how many MB of recordings are kept, 10 to 100000"
    )
    lexicon_file: ExistingFile | None = Field(
        default=None, description="a TOML file that says how place names are pronounced"
    )
    recordings_dir: ExistingFolder | None = Field(
        default=None, description="a folder of recordings made by people, with an index.toml"
    )
    also: Languages | None = Field(
        default=None, description='languages for which people make recordings, like ["bo"]; they are spoken first'
    )
    audio_url: WebAddress | None = Field(
        default=None, description='the address at which loudspeakers reach this daemon, like "http://10.0.0.5:8080"'
    )

    @field_validator("audio_url")
    @classmethod
    def _short(cls, address: str | None) -> str | None:
        if address and len(address) > _ADDRESS_MAX:
            raise UnfitError(f"The address has {len(address)} characters.", f"Use at most {_ADDRESS_MAX}.")
        return address

    @model_validator(mode="after")
    def _named_voices(self) -> Self:
        if self.engine not in {("espeak-ng",), (_WITHOUT,)} and not self.voices:
            cause = f"Which languages {self.engine[0]} speaks is not said."
            raise UnfitError(cause, 'Write voices = { zh = "..." }; the voice goes where the engine has {voice}.')
        return self
