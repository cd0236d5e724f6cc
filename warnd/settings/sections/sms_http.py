"""`[sms.http]`: a gateway reached over HTTP in a way that the settings describe."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, PlainValidator, SecretStr, model_validator

from warnd.settings.explain import UnfitError
from warnd.settings.kinds import Count, Name, Rate, SecretText, Table, Timezone, Whole
from warnd.settings.sections.authority_file import AuthorityFile
from warnd.settings.sections.sms_http_feeds import (
    Fields,
    HttpAnswer,
    HttpFeed,
    HttpPoll,
    HttpReplies,
    HttpReports,
    HttpWord,
    WebTemplate,
)
from warnd.settings.sections.sms_http_words import TemplateText, alone, names_in, templates_in

Fate = Literal["permanent", "transient", "throttled", "ambiguous"]
How = Literal[
    "time", "unix_s", "unix_ms", "nonce", "md5", "sha1", "sha256", "hmac_md5", "hmac_sha1", "hmac_sha256", "base64"
]

OF_CALL = frozenset({"text", "numbers", "number_list", "each", "life_s"})
"""Names that stand for something of a whole call."""

OF_NUMBER = frozenset({"number", "attempt"})
"""Names that stand for something of one number: for use in `each`, or where a call has one number."""

_ONLY_ALONE = frozenset({"number_list", "each"})  # They are lists.
_VARIABLE = re.compile(r"[a-z][a-z0-9_]{0,39}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,200}")


class HttpDerived(Table):
    """A value made anew for each call out of others: a time stamp, a signature."""

    how: How = Field(
        description='"time", "unix_s", "unix_ms", "nonce", "md5", "sha1", "sha256", "hmac_md5", "hmac_sha1", "hmac_sha256" or "base64"'
    )
    of: TemplateText = Field(
        default="", description='what it is made of, like "{account}{key}{stamp}"; of a time, like "%Y%m%d"'
    )
    key: Name | None = Field(default=None, description="the name of the secret that an hmac is made with")
    form: Literal["hex", "HEX", "base64"] = Field(default="hex", description='"hex", "HEX" or "base64"')
    zone: Timezone = Field(default=ZoneInfo("Asia/Shanghai"), description='an IANA time zone like "Asia/Shanghai"')

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.key is None) == self.how.startswith("hmac"):
            raise UnfitError(
                "An hmac needs a key, and nothing else takes one.", 'Write key = "NAME" of a secret, or take it out.'
            )
        if (self.of == "") != (self.how in {"unix_s", "unix_ms", "nonce"}):
            raise UnfitError(
                f'"{self.how}" is wrongly given "of".', 'unix_s, unix_ms and nonce take no "of"; all others need it.'
            )
        return self


class HttpLookUp(Table):
    """How the gateway is asked about one attempt of ours."""

    url: WebTemplate = Field(description='the address that is asked, like "https://gateway.example/messages/{attempt}"')
    absent: Annotated[tuple[Annotated[Whole, Field(ge=200, le=599)], ...], Field(min_length=1)] = Field(
        default=(404,), description="a list of the HTTP statuses that mean it never got the text"
    )


class HttpProbe(Table):
    """A question that costs nothing and alarms nobody, like one for the balance."""

    url: WebTemplate = Field(description='the address that is asked, like "https://gateway.example/balance"')
    method: Literal["GET", "POST"] = Field(default="GET", description='"GET" or "POST"')
    body: Literal["query", "form", "json"] = Field(default="query", description='"query", "form" or "json"')
    fields: Fields = Field(default={}, description="a table of what is sent along")
    answer: HttpWord = HttpWord()


def _network(value: Any) -> IPv4Network | IPv6Network:
    try:
        return ip_network(value)
    except ValueError as error:
        raise UnfitError(
            f"Found {value}; it is no network.", 'Write it like "203.0.113.0/24" or "203.0.113.9".'
        ) from error


class SmsHttp(Table):
    """A gateway described in settings."""

    url: WebTemplate = Field(description="the address that texts are sent to")
    method: Literal["POST", "GET", "PUT"] = Field(default="POST", description='"POST", "GET" or "PUT"')
    headers: dict[Name, TemplateText] = Field(default={}, description="a table of HTTP headers")
    body: Literal["form", "json", "query"] = Field(default="form", description='"form", "json" or "query"')
    fields: Fields = Field(
        default={}, description='a table of what is sent, like mobile = "{numbers}", content = "{text}"'
    )
    each: Fields | None = Field(
        default=None, description='a table that {each} in a JSON body repeats, like to = "{number}"'
    )
    encoding: Literal["utf-8", "gbk"] = Field(default="utf-8", description='"utf-8" or "gbk"')
    number_format: Literal["e164", "digits", "double_zero", "national"] = Field(
        default="e164",
        description='"e164" (+8613…), "digits" (8613…), "double_zero" (008613…) or "national" (13…)',
    )
    country_code: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3}$")] = Field(
        default="86", description='the country that national numbers belong to, like "86"'
    )
    number_separator: Annotated[str, Field(min_length=1, max_length=3)] = Field(
        default=",", description="what stands between two of {numbers}"
    )
    batch: Annotated[Whole, Field(ge=1, le=1000)] = Field(default=1, description="numbers in one call, 1 to 1000")
    calls: Count = Field(default=10, description="how many calls may be under way at once, 1 to 10000")
    timeout_s: Rate = Field(default=10, le=25, description="seconds in which the gateway must answer, up to 25")
    throttled_s: Rate = Field(
        default=5, le=3600, description="seconds to pause when the gateway says too fast but not how long"
    )
    watch_s: Rate = Field(
        default=15, le=3600, description="seconds between two looks whether the gateway can be reached"
    )
    ca_file: AuthorityFile | None = Field(
        default=None, description="a PEM file with the gateway's authority; without it, the system's"
    )
    secret_files: dict[Name, Annotated[SecretStr, SecretText]] = Field(
        default={}, description='a table of names and files, each file one line, like key = "gateway.key"'
    )
    derived: dict[Name, HttpDerived] = Field(
        default={}, description="tables [sms.http.derived.NAME] with how and of, in the order in which they are made"
    )
    answer: HttpAnswer = HttpAnswer()
    codes: dict[Name, Fate] = Field(
        default={}, description='what a code means: "permanent", "transient", "throttled" or "ambiguous"'
    )
    other_codes: Fate = Field(
        default="transient",
        description='what any other code means: "permanent", "transient", "throttled" or "ambiguous"',
    )
    push_token: Annotated[SecretStr | None, SecretText] = Field(
        default=None,
        alias="push_token_file",
        description="a file whose one line is the secret end of the address that the gateway pushes to",
    )
    push_sources: tuple[Annotated[IPv4Network | IPv6Network, PlainValidator(_network)], ...] = Field(
        default=(), description='a list of networks that pushes may come from, like ["203.0.113.0/24"]'
    )
    reports: HttpReports | None = None
    replies: HttpReplies | None = None
    look_up: HttpLookUp | None = None
    probe: HttpProbe | None = None

    @model_validator(mode="after")
    def _names_have_values(self) -> Self:
        of_one = OF_NUMBER if self.batch == 1 else frozenset()
        made, plain = self._check_derived(of_one)
        self._check(templates_in(self.url, "url"), made | of_one)
        for key, template in self.headers.items():
            self._check([(f"headers.{key}", template)], made | {"life_s"} | (of_one - {"number"}))
        lists = OF_CALL if self.body == "json" else OF_CALL - _ONLY_ALONE
        self._check(templates_in(self.fields, "fields"), made | lists | of_one)
        self._check(templates_in(self.each or {}, "each"), made | OF_NUMBER | {"text", "life_s"})
        if self.look_up:
            self._check([("look_up.url", self.look_up.url)], plain | {"attempt"})
        if self.probe:
            self._check_question("probe", self.probe, plain)
        feeds: dict[str, HttpFeed | None] = {"reports": self.reports, "replies": self.replies}
        for at, feed in feeds.items():
            if feed and feed.poll:
                cursor = {"cursor"} if feed.poll.cursor is not None else frozenset[str]()
                self._check_question(f"{at}.poll", feed.poll, plain | cursor)
        return self

    @model_validator(mode="after")
    def _says_what_to_whom(self) -> Self:
        said = [*templates_in(self.fields, ""), *templates_in(self.each or {}, ""), ("", self.url)]
        used = frozenset[str]().union(*(names_in(template) for _, template in said))
        if "text" not in used or not used & {"number", "numbers", "number_list"}:
            raise UnfitError(
                "Nothing carries the text, or the number.", 'Put "{text}" and "{numbers}" into fields or each.'
            )
        if (self.each is not None) != ("each" in used):
            raise UnfitError("each and {each} only mean something together.", 'Write fields with a value "{each}".')
        if self.body != "json" and any(isinstance(value, dict | list) for value in self.fields.values()):
            raise UnfitError("Only a JSON body can hold lists and tables.", 'Write body = "json", or plain fields.')
        if self.method == "GET" and self.body != "query":
            raise UnfitError("A GET has no body.", 'Write body = "query", or another method.')
        return self

    @model_validator(mode="after")
    def _something_brings_them(self) -> Self:
        token = self.push_token.get_secret_value() if self.push_token else None
        if token is not None and not _TOKEN.fullmatch(token):
            cause = "The secret in push_token_file can be guessed or cannot stand in an address."
            raise UnfitError(
                cause, "Write 16 to 200 letters, digits, - or _ into it, as `openssl rand -hex 24` makes them."
            )
        feeds: dict[str, HttpFeed | None] = {"reports": self.reports, "replies": self.replies}
        for at, feed in feeds.items():
            if feed and token is None and feed.poll is None:
                raise UnfitError(f"Nothing brings {at}.", f"Write push_token_file, or a table [sms.http.{at}.poll].")
        if self.push_sources and token is None:
            raise UnfitError("push_sources without push_token_file guards nothing.", "Write push_token_file beside it.")
        return self

    def _check_derived(self, of_one: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
        """Check that each derived value is made of what is there before it.

        Returns:
            The names of all secrets and derived values; and of those among them that need no text and no number, so that they can
            stand in a question that is no call.
        """
        made = plain = frozenset(self.secret_files)
        for name, derived in self.derived.items():
            used = self._used_by(name, derived, made | of_one | (OF_CALL - _ONLY_ALONE))
            if derived.key is not None and derived.key not in self.secret_files:
                raise UnfitError(f'derived.{name}.key: "{derived.key}" is no secret.', "Name it in secret_files.")
            made |= {name}
            plain |= {name} if used <= plain else frozenset()
        twice = set(self.secret_files) & set(self.derived)
        wrong = [name for name in made if not _VARIABLE.fullmatch(name) or name in OF_CALL | OF_NUMBER | {"cursor"}]
        if wrong or twice:
            cause = f'"{min(wrong or twice)}" cannot be the name of a value, or names two.'
            raise UnfitError(cause, "Use small letters, digits and _, and none of warnd's own names.")
        return made, plain

    def _used_by(self, name: str, derived: HttpDerived, known: frozenset[str]) -> frozenset[str]:
        if derived.how == "time":
            return frozenset()  # Its pattern is strftime's, with no names in it.
        self._check([(f"derived.{name}.of", derived.of)], known)
        return names_in(derived.of)

    def _check_question(self, at: str, question: HttpPoll | HttpProbe, known: frozenset[str]) -> None:
        self._check([(f"{at}.url", question.url), *templates_in(question.fields, f"{at}.fields")], known)

    @staticmethod
    def _check(templates: list[tuple[str, str]], known: frozenset[str]) -> None:
        for at, template in templates:
            for name in sorted(names_in(template) - known):
                cause = f'{at}: {{{name}}} has no value in "{template[:60]}".'
                raise UnfitError(
                    cause, f"Known here: {', '.join(f'{{{each}}}' for each in sorted(known)) or 'nothing'}."
                )
            for name in sorted(names_in(template) & _ONLY_ALONE):
                if alone(template) != name:
                    raise UnfitError(
                        f"{at}: {{{name}}} is a list and stands alone.", f'Write "{{{name}}}" and nothing beside it.'
                    )
