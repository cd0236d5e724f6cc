"""`[sms.smpp]`: a message centre reached by SMPP 3.4."""

from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, model_validator

from warnd.settings.explain import UnfitError
from warnd.settings.kinds import Count, Name, PathName, Port, Rate, SecretText, Table, Timezone, Whole
from warnd.settings.sections.authority_file import AuthorityFile

_PASSWORD_MAX = 8  # SMPP 3.4 §5.2.2: nine octets with the zero at the end.
Octet = Annotated[Whole, Field(ge=0, le=255)]


class SmsSmpp(Table):
    """A message centre."""

    host: Name = Field(description="the message centre's host name or address")
    tls: bool = Field(default=False, description="true or false")
    port: Port = Field(
        default_factory=lambda known: 3550 if known.get("tls") else 2775,
        description="the message centre's port, 1 to 65535",
    )
    ca_file: AuthorityFile | None = Field(
        default=None, description="a PEM file with the message centre's authority; without it, the system's"
    )
    system_id: Annotated[str, Field(min_length=1, max_length=15, pattern=r"^[\x21-\x7e]+$")] = Field(
        description="the account's name at the message centre, up to 15 characters"
    )
    password: Annotated[SecretStr, SecretText] = Field(
        alias="password_file", description="a file whose one line is the account's password"
    )
    system_type: Annotated[str, Field(max_length=12, pattern=r"^[\x20-\x7e]*$")] = Field(
        default="", description="the system type that the message centre asks for, up to 12 characters"
    )
    source: Annotated[str, Field(max_length=20, pattern=r"^[\x20-\x7e]*$")] = Field(
        default="", description='the number or name that texts come from, like "106900001234"'
    )
    source_ton: Octet = Field(default=0, description="the source's type of number, 0 to 255; 1 international, 5 a name")
    source_npi: Octet = Field(default=1, description="the source's numbering plan, 0 to 255; 1 telephone, 0 for a name")
    country_code: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3}$")] = Field(
        default="86", description='the country that national numbers belong to, like "86"'
    )
    window: Count = Field(default=20, description="how many parts may be without an answer at once, 1 to 10000")
    enquire_link_s: Rate = Field(
        default=30, le=600, description="seconds of silence before asking whether it is there, up to 600"
    )
    timeout_s: Rate = Field(default=10, le=25, description="seconds in which the message centre must answer, up to 25")
    throttled_s: Rate = Field(
        default=1, le=600, description="seconds to pause when the message centre says too fast, up to 600"
    )
    validity: Literal["relative", "absolute", "none"] = Field(
        default="relative", description='how the life of a text is told: "relative", "absolute" or "none"'
    )
    gsm_data_coding: Octet = Field(
        default=0, description="the data coding of texts in the GSM alphabet, one octet for each character, 0 to 255"
    )
    message_id_base: Literal["same", "hex_in_answer", "decimal_in_answer"] = Field(
        default="same",
        description='how ids differ between answers and receipts: "same", "hex_in_answer" (decimal in receipts) or "decimal_in_answer"',
    )
    zone: Timezone = Field(
        default=ZoneInfo("Asia/Shanghai"),
        description='the IANA time zone of the message centre\'s clock, like "Asia/Shanghai"',
    )
    parts_file: PathName | None = Field(
        default=None, description="a file in which the ids of long texts' parts outlive a restart"
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.ca_file and not self.tls:
            raise UnfitError("ca_file without tls checks nothing.", "Write tls = true, or take ca_file out.")
        password = self.password.get_secret_value()
        if len(password) > _PASSWORD_MAX or not password.isascii():
            cause = f"The password is longer than the {_PASSWORD_MAX} ASCII characters that SMPP 3.4 has room for."
            raise UnfitError(cause, "Ask the message centre's people for one that fits.")
        return self
