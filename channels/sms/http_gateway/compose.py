"""Turns a call into an HTTP request as the settings describe it. Owns all escaping; sends nothing.

A value is put into a place only through that place's own writing: percent-encoding, a form, JSON. So no text and no number can end a
field and begin another.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from channels.sms.http_gateway.numbers import written
from warnd.channel import Outgoing
from warnd.clock import Clock
from warnd.settings.sections.sms_http import HttpDerived, HttpLookUp, HttpProbe, SmsHttp
from warnd.settings.sections.sms_http_feeds import HttpPoll
from warnd.settings.sections.sms_http_words import alone, fill

_NONCE_BITS = 128
_T = TypeVar("_T")


class UnwritableError(Exception):
    """The text has characters that the gateway's encoding lacks."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready for the wire.

    Attributes:
        url: Percent-encoded already.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


class Composer:
    """Writes requests for one gateway."""

    def __init__(self, section: SmsHttp, *, clock: Clock, random: Random) -> None:
        self._section = section
        self._clock = clock
        self._random = random
        self._secrets = {name: secret.get_secret_value() for name, secret in section.secret_files.items()}

    def call(self, tries: Sequence[Outgoing]) -> Request:
        """Return the request that sends these, which have one text unless the settings repeat a table for each.

        Raises:
            UnwritableError: See there.
        """
        section = self._section
        first = tries[0]
        numbers = [written(one.address, section) for one in tries]
        values = {
            "text": first.texts[0].text,
            "numbers": section.number_separator.join(numbers),
            "number": numbers[0],
            "attempt": first.attempt,
            "life_s": str(self._life_s(first)),
        }
        values |= self._made(values)
        each = [
            self._filled(section.each, {**values, "number": number, "attempt": one.attempt, "text": one.texts[0].text})
            for one, number in zip(tries, numbers, strict=True)
            if section.each is not None
        ]
        fields = self._filled(section.fields, values, lists={"number_list": numbers, "each": each})
        return self._request(section.method, section.url, section.body, fields, values=values)

    def question(self, asked: HttpPoll | HttpProbe, *, cursor: str = "") -> Request:
        """Return the request of a poll or a probe."""
        values = {"cursor": cursor, **self._made({})}
        return self._request(asked.method, asked.url, asked.body, self._filled(asked.fields, values), values=values)

    def look_up(self, asked: HttpLookUp, attempt: str) -> Request:
        """Return the request that asks about one attempt."""
        return self._request("GET", asked.url, "query", {}, values={"attempt": attempt, **self._made({})})

    def _life_s(self, outgoing: Outgoing) -> int:
        return max(1, int((outgoing.message.expires_at - self._clock.now()).total_seconds()))

    def _made(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return secrets and derived values; those that need what `values` lacks are left out, for nothing here uses them."""
        made = dict(self._secrets)
        for name, derived in self._section.derived.items():
            try:
                made[name] = self._derive(derived, {**values, **made})
            except KeyError:
                continue
        return made

    def _derive(self, derived: HttpDerived, values: Mapping[str, str]) -> str:
        now = self._clock.now()
        match derived.how:
            case "time":
                return now.astimezone(derived.zone).strftime(derived.of)
            case "unix_s":
                return str(int(now.timestamp()))
            case "unix_ms":
                return str(int(now.timestamp() * 1000))
            case "nonce":
                return f"{self._random.getrandbits(_NONCE_BITS):032x}"
            case "base64":
                return base64.b64encode(self._encoded(fill(derived.of, values))).decode()
            case _:
                key = None if derived.key is None else self._encoded(values[derived.key])
                return _digested(self._encoded(fill(derived.of, values)), derived, key=key)

    def _filled(self, template: Any, values: Mapping[str, str], *, lists: Mapping[str, list[Any]] | None = None) -> Any:
        """Return a table of fields with every text filled; a text that is only a list's name becomes that list."""
        match template:
            case str():
                name = alone(template)
                if name is not None and lists is not None and name in lists:
                    return lists[name]
                if name == "life_s":
                    return int(values["life_s"])
                return fill(template, values)
            case dict():
                return {key: self._filled(inner, values, lists=lists) for key, inner in template.items()}
            case list():
                return [self._filled(inner, values, lists=lists) for inner in template]
            case _:
                return template

    def _request(self, method: str, url: str, body: str, fields: Any, *, values: Mapping[str, str]) -> Request:
        address = fill(url, values, escape=self._percent)
        headers = {key: fill(template, values) for key, template in self._section.headers.items()}
        match body:
            case "query":
                query = self._urlencoded(fields)
                joint = "&" if "?" in address else "?"
                return Request(method, f"{address}{joint}{query}" if query else address, headers, None)
            case "form":
                kind = f"application/x-www-form-urlencoded; charset={self._section.encoding}"
                return Request(method, address, _typed(headers, kind), self._urlencoded(fields).encode("ascii"))
            case _:
                # Escaped to ASCII, which every JSON reader takes whatever encoding it believes in.
                return Request(method, address, _typed(headers, "application/json"), json.dumps(fields).encode("ascii"))

    def _percent(self, value: str) -> str:
        return self._writable(lambda: quote(value, safe="", encoding=self._section.encoding, errors="strict"))

    def _urlencoded(self, fields: Mapping[str, Any]) -> str:
        plain = {key: str(value).lower() if isinstance(value, bool) else value for key, value in fields.items()}
        return self._writable(lambda: urlencode(plain, encoding=self._section.encoding, errors="strict"))

    def _encoded(self, value: str) -> bytes:
        return self._writable(lambda: value.encode(self._section.encoding))

    def _writable(self, write: Callable[[], _T]) -> _T:
        try:
            return write()
        except UnicodeEncodeError as error:
            raise UnwritableError(f"{self._section.encoding} has no {error.object[error.start]!a}") from error


def _typed(headers: Mapping[str, str], kind: str) -> dict[str, str]:
    named = any(name.lower() == "content-type" for name in headers)
    return dict(headers) if named else {**headers, "Content-Type": kind}


def _digested(said: bytes, derived: HttpDerived, *, key: bytes | None) -> str:
    if key is not None:
        digest = hmac.new(key, said, derived.how.removeprefix("hmac_")).digest()
    else:
        # The gateway's published signature only shows that we know its key; without the flag some machines bar md5.
        digest = hashlib.new(derived.how, said, usedforsecurity=False).digest()
    if derived.form == "base64":
        return base64.b64encode(digest).decode()
    return digest.hex() if derived.form == "hex" else digest.hex().upper()
