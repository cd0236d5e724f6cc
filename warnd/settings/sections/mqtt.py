"""`[mqtt]`: village loudspeakers, with a link of their own for drills."""

from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, model_validator

from warnd.settings.explain import UnfitError
from warnd.settings.kinds import Count, ExistingFile, Name, PathName, Port, Rate, SecretText, Table
from warnd.settings.sections.authority_file import authority, fit_together

_CONNECTION = (
    "host",
    "port",
    "tls",
    "ca_file",
)  # Not the account: a drill has a user, a certificate and a key of its own.


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
    cert_file: ExistingFile | None = Field(
        default=None, description="a PEM file with this daemon's own certificate, where the broker asks for one"
    )
    key_file: ExistingFile | None = Field(
        default=None, description="a PEM file with the unencrypted private key of cert_file, readable by warnd alone"
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
        if self.ca_file:
            authority(self.ca_file)
        if (self.cert_file or self.key_file) and not self.tls:
            raise UnfitError(
                "cert_file and key_file without tls are never shown.", "Write tls = true, or take them out."
            )
        if (self.cert_file is None) != (self.key_file is None):
            given, missing = ("cert_file", "key_file") if self.cert_file else ("key_file", "cert_file")
            raise UnfitError(f"{given} without {missing} is of no use.", f"Write {missing} beside it.")
        if self.cert_file and self.key_file and not fit_together(self.cert_file, self.key_file):
            cause = f"{self.cert_file} and {self.key_file} are no PEM certificate with its unencrypted key."
            raise UnfitError(cause, "Name two that belong together in cert_file and key_file.")
        if self.password and not self.username:
            raise UnfitError("password_file without username is never sent.", "Write username beside it.")
        return self


class MqttDrill(MqttLink):
    """The link of drills: its own user and key, by default the same broker."""

    client_id: Name = Field(default="warnd-drill", description="the MQTT client id, another than that of [mqtt]")


class MqttAdmin(Table):
    """How `warnd terminal keys` changes users at the broker: by dynamic security, or in the broker's password files."""

    username: Name | None = Field(default=None, description="the administrator of the broker's dynamic security")
    password: Annotated[SecretStr | None, SecretText] = Field(
        default=None, alias="password_file", description="a file whose one line is the administrator's password"
    )
    passwords: PathName | None = Field(default=None, description="the broker's password file for live warnings")
    drill_passwords: PathName | None = Field(default=None, description="the broker's password file for drills")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        dynamic, by_file = self.username is not None, self.passwords is not None
        if dynamic == by_file:
            cause = "Users are changed either by dynamic security or in password files."
            raise UnfitError(cause, "Write username and password_file, or passwords (and drill_passwords), not both.")
        if dynamic and self.password is None:
            raise UnfitError("username without password_file cannot log in.", "Write password_file beside it.")
        return self


class Mqtt(MqttLink):
    """Village loudspeakers. Without `drill`, drills are refused."""

    drill: MqttDrill | None = None
    admin: MqttAdmin | None = None

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
