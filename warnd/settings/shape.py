"""The settings themselves: every key, its meaning, its range, its default. DESIGN §10 fixes the names.

Each description is a noun phrase that completes "Write …": errors and the operator's guide use it.
Where a section is None, its channel is off. Paths are joined and secrets read by the time a value stands here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from warnd.model.level import Level
from warnd.resources import shipped
from warnd.settings.document import Document
from warnd.settings.environment import PREFIX, SEPARATOR, Environment
from warnd.settings.file import SettingsFile
from warnd.settings.kinds import (
    Endpoint,
    ExistingFile,
    ExistingFolder,
    Languages,
    LevelWord,
    Listen,
    Name,
    Names,
    PathName,
    Table,
    Timezone,
    WebAddress,
    Whole,
    relative_to,
)
from warnd.settings.sections.alarms import Alarms
from warnd.settings.sections.apprise import Apprise
from warnd.settings.sections.email import Email
from warnd.settings.sections.mqtt import Mqtt
from warnd.settings.sections.periodic import Periodic
from warnd.settings.sections.push import Push
from warnd.settings.sections.sms import Sms
from warnd.settings.sections.speech import Speech
from warnd.settings.sections.store import Store
from warnd.settings.sections.web import Web
from warnd.settings.sections.webhook import Webhook

Severity = Literal["Extreme", "Severe", "Moderate", "Minor", "Unknown"]  # CAP 1.2 §3.2.2.


class Node(Table):
    """Whom this daemon speaks for."""

    name: Name = Field(default="warnd", description="the name of this warning centre, in quotes")
    worker: Name | None = Field(
        default=None,
        description="what this one of several workers is called; without it, this machine's name and the port of http.listen",
    )
    jurisdiction: Names = Field(
        default=(), description='region codes like ["340000"]; without any, every imported region'
    )
    timezone: Timezone = Field(default=ZoneInfo("Asia/Shanghai"), description='an IANA time zone like "Asia/Shanghai"')
    languages: Languages = Field(
        default=("zh",), description='the languages people here read, first one first, like ["zh", "en"]'
    )


class Http(Table):
    """The one server: API, public site, callbacks.

    Attributes:
        public_url: Without a slash at its end; None = "http://" and what the server is bound to.
    """

    listen: Listen = Field(default=Endpoint("127.0.0.1", 8080), description='host and port like "127.0.0.1:8080"')
    public_url: WebAddress | None = Field(
        default=None, description='the address that people see, like "https://warn.example.org"'
    )

    @property
    def own_url(self) -> str:
        """The address by which programs on this machine reach the server."""
        host = "127.0.0.1" if self.listen.host in {"0.0.0.0", "::"} else self.listen.host  # noqa: S104 - compared, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self.listen.port}"


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
    email: Email | None = None
    mqtt: Mqtt | None = None
    web: Web = Web()
    push: Push | None = None
    webhook: Webhook | None = None
    apprise: Apprise | None = None
    speech: Speech | None = None
    periodic: Periodic = Periodic()
    alarms: Alarms = Alarms()
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
