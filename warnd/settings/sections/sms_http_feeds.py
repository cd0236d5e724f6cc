"""What a gateway sends back, as settings describe it: its answer to a call, delivery reports, replies. Shapes only."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, field_validator, model_validator

from warnd.settings.explain import UnfitError
from warnd.settings.kinds import Name, Names, Rate, Table, Timezone, Whole
from warnd.settings.sections.sms_http_words import (
    Pointer,
    TemplateText,
    check_pattern,
    check_pointer,
    check_templates,
)

Fields = Annotated[dict[str, Any], AfterValidator(check_templates)]
Place = Annotated[str, Field(min_length=1, max_length=200)]
"""Where to look: a JSON pointer in a JSON answer, a pattern with one group in any other."""


def web_template(value: str) -> str:
    """Return an address template as it is.

    Raises:
        UnfitError: It does not begin with a scheme and a host that are written out.
    """
    scheme, separator, rest = value.partition("://")
    host = rest.partition("/")[0].partition("?")[0]
    if scheme not in {"http", "https"} or not separator or not host or set(host) & set("{} @"):
        cause = f'"{value}" does not begin like a web address whose host is written out.'
        raise UnfitError(cause, 'Write it like "https://gateway.example/send"; secrets belong into files.')
    return value


WebTemplate = Annotated[TemplateText, AfterValidator(web_template)]


class HttpResult(Table):
    """Where one number's own result stands within an entry of `answer.results`."""

    number: Pointer | None = Field(default=None, description='the JSON pointer of the number, like "/mobile"')
    code: Pointer | None = Field(default=None, description='the JSON pointer of this number\'s code, like "/code"')
    reason: Pointer | None = Field(default=None, description="the JSON pointer of words about the code")
    reference: Pointer | None = Field(default=None, description="the JSON pointer of the gateway's id for this number")


class HttpWord(Table):
    """How to tell whether an answer says yes."""

    format: Literal["json", "text"] = Field(default="json", description='"json" or "text"')
    statuses: Annotated[tuple[Annotated[Whole, Field(ge=200, le=299)], ...], Field(min_length=1)] = Field(
        default=(200, 201, 202), description="a list of the HTTP statuses under which the answer may be yes, 200 to 299"
    )
    code: Place | None = Field(
        default=None,
        description='where the code stands: a JSON pointer like "/code", or a pattern with one group for text',
    )
    success: Names = Field(default=(), description='a list of the codes that mean yes, like ["0"]')
    reason: Place | None = Field(default=None, description="where words about the code stand")

    @model_validator(mode="after")
    def _readable(self) -> Self:
        for place in self.places():
            (check_pointer if self.format == "json" else check_pattern)(place)
        if (self.code is None) != (not self.success):
            raise UnfitError("code and success only mean something together.", "Write both, or neither.")
        return self

    def places(self) -> list[str]:
        """Return every place that is looked at in a whole answer."""
        return [place for place in (self.code, self.reason) if place is not None]


class HttpAnswer(HttpWord):
    """How to read the answer to a call."""

    reference: Place | None = Field(default=None, description="where the gateway's id for the whole call stands")
    results: Pointer | None = Field(default=None, description="the JSON pointer of a list of results by number")
    result: HttpResult = HttpResult()
    unlisted: Literal["unknown", "accepted"] = Field(
        default="unknown", description='what a number without a result is: "unknown" or "accepted"'
    )

    @model_validator(mode="after")
    def _listed(self) -> Self:
        if self.results is not None and (self.format != "json" or self.result.number is None):
            raise UnfitError(
                "results needs a JSON answer and result.number.", 'Write [sms.http.answer.result] with number = "/…".'
            )
        if self.results is not None and self.result.code is None and self.unlisted == "unknown":
            cause = "A number listed without a code, and one not listed, would both be unknown."
            raise UnfitError(cause, 'Write result.code, or unlisted = "accepted" for a list of refused numbers.')
        return self

    def places(self) -> list[str]:
        """Return every place that is looked at in a whole answer."""
        return [*super().places(), *([] if self.reference is None else [self.reference])]


class HttpPoll(Table):
    """Where reports or replies are fetched."""

    url: WebTemplate = Field(description='the address that is asked, like "https://gateway.example/reports"')
    method: Literal["GET", "POST"] = Field(default="GET", description='"GET" or "POST"')
    body: Literal["query", "form", "json"] = Field(default="query", description='"query", "form" or "json"')
    fields: Fields = Field(default={}, description="a table of what is sent along")
    cursor: Pointer | None = Field(
        default=None, description="the JSON pointer of a mark that is sent with the next question as {cursor}"
    )
    every_s: Rate = Field(default=10, le=3600, description="seconds between two questions, up to 3600")


class HttpFeed(Table):
    """What reports and replies have in common."""

    body: Literal["json", "form", "query"] = Field(
        default="json", description='what a push is written in: "json", "form" or "query"'
    )
    entries: Pointer | None = Field(
        default=None, description="the JSON pointer of the list; without it, a list or one entry"
    )
    number: Pointer | None = Field(default=None, description='the JSON pointer of the phone number, like "/mobile"')
    at: Pointer | None = Field(default=None, description="the JSON pointer of the time")
    at_format: Name = Field(
        default="iso", description='"iso", "unix_s", "unix_ms" or a pattern like "%Y-%m-%d %H:%M:%S"'
    )
    zone: Timezone = Field(default=ZoneInfo("Asia/Shanghai"), description='an IANA time zone like "Asia/Shanghai"')
    answer: str = Field(
        default="OK", max_length=1000, description="the text that the gateway wants to hear when we have it"
    )
    answer_type: Name = Field(default="text/plain", description='the media type of the answer, like "application/json"')
    poll: HttpPoll | None = None

    @field_validator("at_format")
    @classmethod
    def _a_format(cls, value: str) -> str:
        if value in {"iso", "unix_s", "unix_ms"}:
            return value
        moment = datetime(2026, 7, 3, 15, 30, 12)  # noqa: DTZ001 - only tries the pattern, whatever zone it is of
        try:
            fits = "%" in value and datetime.strptime(moment.strftime(value), value)  # noqa: DTZ007 - the zone is a setting
        except ValueError:
            fits = False
        if not fits:
            raise UnfitError(
                f'"{value}" is no way to write a time.', 'Write "iso", "unix_s", "unix_ms" or like "%Y%m%d%H%M%S".'
            )
        return value


class HttpReports(HttpFeed):
    """Delivery reports."""

    attempt: Pointer | None = Field(
        default=None, description="the JSON pointer of our own {attempt}, if the gateway carries it"
    )
    reference: Pointer | None = Field(
        default=None, description="the JSON pointer of the gateway's id, as in its answer"
    )
    status: Pointer = Field(description='the JSON pointer of what became of it, like "/status"')
    delivered: Names = Field(
        min_length=1, description='a list of the words that mean the phone has it, like ["DELIVRD"]'
    )
    failed: Names = Field(default=(), description='a list of the words that mean it never will, like ["UNDELIV"]')
    reason: Pointer | None = Field(default=None, description="the JSON pointer of words or a code about a failure")
    part: Pointer | None = Field(default=None, description="the JSON pointer of the part's number, from 1")
    parts: Pointer | None = Field(default=None, description="the JSON pointer of how many parts there are")

    @model_validator(mode="after")
    def _known_which(self) -> Self:
        if self.attempt is None and self.reference is None:
            raise UnfitError("Nothing says which text a report is about.", 'Write attempt = "/…" or reference = "/…".')
        if (self.part is None) != (self.parts is None):
            raise UnfitError("part and parts only mean something together.", "Write both, or neither.")
        if both := set(self.delivered) & set(self.failed):
            raise UnfitError(f'"{min(both)}" is both delivered and failed.', "Take it out of one of them.")
        return self


class HttpReplies(HttpFeed):
    """What people write back."""

    text: Pointer = Field(description='the JSON pointer of what they wrote, like "/content"')

    @model_validator(mode="after")
    def _known_who(self) -> Self:
        if self.number is None:
            raise UnfitError("Nothing says who wrote.", 'Write number = "/…".')
        return self
