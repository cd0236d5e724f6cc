"""`[sms]`: text messages and the gateways that carry them."""

import re
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticKnownError

from warnd.settings.explain import UnfitError
from warnd.settings.kinds import Count, Name, PathName, Rate, SecretText, Table, WebAddress, Whole
from warnd.settings.sections.sms_http import SmsHttp
from warnd.settings.sections.sms_smpp import SmsSmpp

SmsProvider = Literal["spool", "twilio", "http", "smpp"]
_PROVIDERS: tuple[SmsProvider, ...] = get_args(SmsProvider)
_ACCOUNT = re.compile(r"AC[0-9A-Za-z]{32}")
_SENDER = re.compile(r"MG[0-9A-Za-z]{32}|\+[1-9][0-9]{6,14}|[0-9]{3,8}|[A-Za-z0-9 ]{1,11}")
_SENDERS = (
    'a number like "+15005550006", a short code, a name of up to 11 letters and digits, or the SID of a Messaging Service, '
    "MG and 32 hexadecimal digits"
)
_ANY_PROVIDER = '"spool", "twilio", "http" or "smpp"'


class Spool(Table):
    """A folder that stands for a gateway: `out/` for texts, `in/` for reports and replies."""

    dir: PathName = Field(description="a folder for the spool's out/ and in/")


class Twilio(Table):
    """An account at Twilio."""

    account_sid: Name = Field(
        description="the account's SID: AC and 32 hexadecimal digits, from the first page of the console"
    )
    auth_token: Annotated[SecretStr, SecretText] = Field(
        alias="auth_token_file", description="a file whose one line is the account's auth token"
    )
    sender: Name = Field(alias="from", description=_SENDERS)
    base_url: WebAddress = Field(default="https://api.twilio.com", description="the address of Twilio's API")
    timeout_s: Rate = Field(default=10, le=300, description="seconds in which Twilio must answer, up to 300")
    connections: Count = Field(default=50, description="how many connections to Twilio may be open at once, 1 to 10000")

    @field_validator("account_sid")
    @classmethod
    def _whole_sid(cls, sid: str) -> str:
        if not _ACCOUNT.fullmatch(sid):
            raise UnfitError(f'"{sid}" is no account\'s SID.', "Write AC and 32 hexadecimal digits.")
        return sid

    @field_validator("sender")
    @classmethod
    def _known_kind(cls, sender: str) -> str:
        if not _SENDER.fullmatch(sender):
            raise UnfitError(f'"{sender}" can be no sender at Twilio.', f"Write {_SENDERS}.")
        return sender


class SmsSender(Table):
    """One of several gateways: an account, a number or a carrier of its own."""

    provider: SmsProvider = Field(description=_ANY_PROVIDER)
    weight: Whole = Field(
        default=1, ge=0, le=1000, description="its share beside the others, 0 to 1000; 0 = it only stands in"
    )
    rate_per_s: Rate | None = Field(default=None, description="SMS segments per second that it takes, above 0")
    concurrency: Count | None = Field(
        default=None, description="how many texts may be under way by it at once, 1 to 10000"
    )
    spool: Spool | None = Field(default=None, description="a table [sms.senders.NAME.spool], if it is not [sms.spool]")
    twilio: Twilio | None = Field(
        default=None, description="a table [sms.senders.NAME.twilio], if it is not [sms.twilio]"
    )
    http: SmsHttp | None = Field(default=None, description="a table [sms.senders.NAME.http], if it is not [sms.http]")
    smpp: SmsSmpp | None = Field(default=None, description="a table [sms.senders.NAME.smpp], if it is not [sms.smpp]")

    @model_validator(mode="after")
    def _only_its_own_table(self) -> Self:
        others = [name for name in _PROVIDERS if name != self.provider and getattr(self, name) is not None]
        if others:
            raise UnfitError(
                f'It has a table {others[0]}, but its provider is "{self.provider}".',
                "Take the table out, or name its provider.",
            )
        return self


class Sms(Table):
    """Text messages. Each chosen provider needs its table; others may stay, for the day on which one changes over."""

    provider: SmsProvider = Field(default="spool", description=_ANY_PROVIDER)
    fallback: SmsProvider | None = Field(
        default=None,
        description=f"the provider that takes over while the first cannot: {_ANY_PROVIDER}, another than provider",
    )
    senders: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")], SmsSender] = Field(
        default={},
        description="tables [sms.senders.NAME] with provider and weight, NAME in small letters, in place of provider and fallback",
    )
    signature: Name | None = Field(
        default=None, description="the sender's name without brackets; the texts get 【 and 】 round it"
    )
    spool: Spool | None = Field(default=None, validate_default=True, description="a table [sms.spool] with dir")
    twilio: Twilio | None = Field(
        default=None,
        validate_default=True,
        description="a table [sms.twilio] with account_sid, auth_token_file and from",
    )
    http: SmsHttp | None = Field(default=None, validate_default=True, description="a table [sms.http] with url")
    smpp: SmsSmpp | None = Field(default=None, validate_default=True, description="a table [sms.smpp] with host")
    rate_per_s: Rate = Field(default=500, description="SMS segments per second, above 0")
    concurrency: Count = Field(default=200, description="how many texts may be under way at once, 1 to 10000")

    @field_validator("fallback")
    @classmethod
    def _another(cls, fallback: str | None, known: ValidationInfo) -> str | None:
        if fallback is not None and fallback == known.data.get("provider"):
            raise UnfitError(f'"{fallback}" is the provider already.', "Name another one, or take fallback out.")
        return fallback

    @field_validator("spool", "twilio", "http", "smpp")
    @classmethod
    def _there_if_chosen(cls, table: Table | None, known: ValidationInfo) -> Table | None:
        """Demand the table of each chosen provider, as if it were a key that is always needed."""
        chosen = (known.data.get("provider"), known.data.get("fallback"))
        if table is None and known.data.get("senders") == {} and known.field_name in chosen:
            raise PydanticKnownError("missing")
        return table

    @field_validator("senders")
    @classmethod
    def _fit_together(cls, senders: dict[str, SmsSender], known: ValidationInfo) -> dict[str, SmsSender]:
        if not senders:
            return senders
        if known.data.get("fallback") is not None:
            raise UnfitError("There is a fallback, too.", "Take fallback out, and give one sender weight = 0.")
        if not any(one.weight for one in senders.values()):
            raise UnfitError("None of them has a weight.", "Give one of them weight = 1.")
        if sum(one.provider == "twilio" for one in senders.values()) > 1:
            raise UnfitError(
                "Two of them are Twilio's, whose callbacks come to one address.",
                "Keep one, and put the numbers into one Messaging Service.",
            )
        return senders

    @model_validator(mode="after")
    def _every_sender_has_its_own_account(self) -> Self:
        lent: dict[str, str] = {}
        for name, one in self.senders.items():
            if getattr(one, one.provider) is not None:
                continue
            if getattr(self, one.provider) is None:
                raise UnfitError(
                    f"The sender {name} has no table {one.provider}.",
                    f"Write a table [sms.senders.{name}.{one.provider}] or [sms.{one.provider}].",
                )
            if one.provider in lent:
                raise UnfitError(
                    f"The senders {lent[one.provider]} and {name} are the same account, [sms.{one.provider}].",
                    f"Write a table [sms.senders.{name}.{one.provider}] of its own.",
                )
            lent[one.provider] = name
        return self

    @property
    def providers(self) -> frozenset[SmsProvider]:
        """Return the providers that are in use."""
        if self.senders:
            return frozenset(one.provider for one in self.senders.values())
        return frozenset(one for one in (self.provider, self.fallback) if one is not None)

    @field_validator("signature")
    @classmethod
    def _bare(cls, signature: str | None) -> str | None:
        if signature and set(signature) & set("【】[]"):
            raise UnfitError(
                f'"{signature}" has brackets.', "Write the name alone; the texts get their brackets by themselves."
            )
        return signature
