"""The settings themselves: every key, its meaning, its range, its default. DESIGN §10 fixes the names.

Each description is a noun phrase that completes "Write …": errors and the operator's guide use it.
Where a section is None, its channel is off. Paths are joined and secrets read by the time a value stands here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from warnd.model.level import Level
from warnd.resources import shipped
from warnd.settings.document import Document
from warnd.settings.environment import PREFIX, SEPARATOR, Environment
from warnd.settings.explain import UnfitError
from warnd.settings.file import SettingsFile
from warnd.settings.kinds import (
    Count,
    Endpoint,
    ExistingFile,
    ExistingFolder,
    Languages,
    LevelWord,
    Listen,
    Name,
    Names,
    PathName,
    Port,
    Rate,
    SecretText,
    Table,
    Timezone,
    WebAddress,
    Whole,
    joined,
    relative_to,
)

Severity = Literal["Extreme", "Severe", "Moderate", "Minor", "Unknown"]  # CAP 1.2 §3.2.2.

_SQLITE = "sqlite:///"
_CONNECTION = ("host", "port", "tls", "ca_file")


class Node(Table):
    """Whom this daemon speaks for."""

    name: Name = Field(default="warnd", description="the name of this warning centre, in quotes")
    jurisdiction: Names = Field(
        default=(), description='region codes like ["340000"]; without any, every imported region'
    )
    timezone: Timezone = Field(default=ZoneInfo("Asia/Shanghai"), description='an IANA time zone like "Asia/Shanghai"')
    languages: Languages = Field(
        default=("zh",), description='the languages people here read, first one first, like ["zh", "en"]'
    )


class Store(Table):
    """Where the ledger lies."""

    url: str = Field(
        default=f"{_SQLITE}warnd.sqlite",
        validate_default=True,  # So that the default, too, is joined to the folder.
        description='the ledger\'s address like "sqlite:////var/lib/warnd/warnd.sqlite"',
    )

    @field_validator("url")
    @classmethod
    def _known_store(cls, url: str) -> str:
        if url.startswith(("postgresql://", "postgres://", "postgresql+")):
            raise UnfitError("PostgreSQL comes with a later version.", f'Write "{_SQLITE}PATH" for now.')
        name = url.removeprefix(_SQLITE)
        if name in {url, "", ":memory:"} or "?" in name:
            raise UnfitError(
                f'"{url}" names no SQLite file.', f'Write "{_SQLITE}PATH"; an absolute PATH begins with "/".'
            )
        return f"{_SQLITE}{joined(name).resolve()}"


class Http(Table):
    """The one server: API, public site, callbacks.

    Attributes:
        public_url: Without a slash at its end; None = "http://" and what the server is bound to.
    """

    listen: Listen = Field(default=Endpoint("127.0.0.1", 8080), description='host and port like "127.0.0.1:8080"')
    public_url: WebAddress | None = Field(
        default=None, description='the address that people see, like "https://warn.example.org"'
    )


class Intake(Table):
    """How warnings come in and how their level is read.

    Attributes:
        levels: CAP sender, or "*" for all others -> CAP severity -> level.
        sender_names: CAP sender -> the name people know it by, said where a warning has no senderName.
    """

    watch_dir: PathName | None = Field(default=None, description="a folder into which approved CAP files are put")
    level_names: Names = Field(default=(), description="names of the CAP parameters or event codes that carry a level")
    levels: dict[Name, dict[Severity, LevelWord]] = Field(
        default={}, description='a level word for a CAP severity, as in Extreme = "red", under a sender or "*"'
    )
    sender_names: dict[Name, Name] = Field(
        default={}, description='the name people know a sender by, as in "flood@county.example" = "County Flood Office"'
    )
    future_tolerance_s: Whole = Field(
        default=300,
        ge=0,
        le=86_400,
        description="how many seconds ahead of this clock a warning may be sent, 0 to 86400",
    )

    def level_of(self, sender: str, severity: str) -> Level | None:
        """Return the level that this sender's severity means; None = nobody said, so the warning is held."""
        by_severity: dict[Any, Level] = self.levels.get(sender, self.levels.get("*", {}))
        return by_severity.get(severity)


class Spool(Table):
    """A folder that stands for a gateway: `out/` for texts, `in/` for reports and replies."""

    dir: PathName = Field(description="a folder for the spool's out/ and in/")


class Sms(Table):
    """Text messages."""

    provider: Literal["spool"] = Field(default="spool", description='"spool", the one provider of this version')
    signature: Name | None = Field(
        default=None, description="the sender's name without brackets; the texts get 【 and 】 round it"
    )
    spool: Spool = Field(description="a table [sms.spool] with dir")
    rate_per_s: Rate = Field(default=500, description="SMS segments per second, above 0")
    concurrency: Count = Field(default=200, description="how many texts may be under way at once, 1 to 10000")

    @field_validator("signature")
    @classmethod
    def _bare(cls, signature: str | None) -> str | None:
        if signature and set(signature) & set("【】[]"):
            raise UnfitError(
                f'"{signature}" has brackets.', "Write the name alone; the texts get their brackets by themselves."
            )
        return signature


class MqttLink(Table):
    """One connection to the broker of the loudspeakers, and the key that signs what goes over it."""

    host: Name = Field(default="127.0.0.1", description="the broker's host name or address")
    tls: bool = Field(default=False, description="true or false")
    port: Port = Field(
        default_factory=lambda known: 8883 if known.get("tls") else 1883, description="the broker's port, 1 to 65535"
    )
    ca_file: ExistingFile | None = Field(
        default=None, description="a PEM file with the broker's authority; without it, the system's"
    )
    username: Name | None = Field(default=None, description="the broker's user name for this daemon")
    password: Annotated[SecretStr | None, SecretText] = Field(
        default=None, alias="password_file", description="a file whose one line is the password"
    )
    client_id: Name = Field(default="warnd", description="the MQTT client id, one for each daemon and link")
    signing_key_file: ExistingFile = Field(description="a file with an unencrypted PEM PKCS#8 Ed25519 private key")
    rate_per_s: Rate = Field(default=500, description="publishes per second, above 0")
    concurrency: Count = Field(default=50, description="how many publishes may be unconfirmed at once, 1 to 10000")
    timeout_s: Rate = Field(default=10, le=300, description="seconds in which the broker must answer, up to 300")

    @model_validator(mode="after")
    def _whole_link(self) -> Self:
        if self.ca_file and not self.tls:
            raise UnfitError("ca_file without tls checks nothing.", "Write tls = true, or take ca_file out.")
        if self.password and not self.username:
            raise UnfitError("password_file without username is never sent.", "Write username beside it.")
        return self


class MqttDrill(MqttLink):
    """The link of drills: its own user and key, by default the same broker."""

    client_id: Name = Field(default="warnd-drill", description="the MQTT client id, another than that of [mqtt]")


class Mqtt(MqttLink):
    """Village loudspeakers. Without `drill`, drills are refused."""

    drill: MqttDrill | None = None

    @model_validator(mode="before")
    @classmethod
    def _same_broker(cls, given: Any) -> Any:
        """Let the drill link use the broker of the live one where it names none."""
        match given:
            case {"drill": {**drill}} if "host" not in drill:
                shared = {key: given[key] for key in _CONNECTION if key in given}
                return {**given, "drill": {**shared, **drill}}
        return given

    @model_validator(mode="after")
    def _kept_apart(self) -> Self:
        if self.drill and self.drill.signing_key_file.samefile(self.signing_key_file):
            cause = "The live link and the drill link have the same signing key, so a drill would sound real."
            raise UnfitError(cause, "Give drill.signing_key_file a key of its own.")
        if self.drill and (self.drill.host, self.drill.port, self.drill.client_id) == (
            self.host,
            self.port,
            self.client_id,
        ):
            cause = "The live link and the drill link have the same client id, so the broker would cut one of them off."
            raise UnfitError(cause, "Give drill.client_id a name of its own.")
        return self


class Web(Table):
    """The public site."""

    site: bool = Field(default=True, description="true or false")


class Log(Table):
    """What the daemon writes about itself."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description='"debug", "info", "warning" or "error"'
    )
    format: Literal["json", "console"] = Field(default="json", description='"json" or "console"')


class Settings(BaseSettings):
    """Everything that `warnd serve` is told."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter=SEPARATOR)

    node: Node = Node()
    store: Store = Field(default_factory=dict, validate_default=True)
    http: Http = Http()
    intake: Intake = Intake()
    sms: Sms | None = None
    mqtt: Mqtt | None = None
    web: Web = Web()
    log: Log = Log()
    plans_file: ExistingFile = Field(default=shipped("config") / "plans.toml", description="a file of plans")
    authority_file: ExistingFile = Field(
        default=shipped("config") / "authority.toml", description="a file that says who may change whose"
    )
    templates_dir: ExistingFolder = Field(default=shipped("templates"), description="a folder of templates")

    def __init__(self, *, document: Document, env: Mapping[str, str], folder: Path) -> None:
        """Read the settings from a file and, over it, an environment.

        Args:
            document: The file.
            env: The environment.
            folder: Where relative paths start.

        Raises:
            ValidationError: A value does not fit.
        """
        with relative_to(folder):
            super().__init__(document=document, env=env)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where values come from, the strongest first: what the constructor was handed, and nothing else."""
        del env_settings, dotenv_settings, file_secret_settings  # These read the process, not what was handed over.
        given = init_settings()
        return Environment(settings_cls, given["env"]), SettingsFile(settings_cls, given["document"])
