"""Talks to a running daemon over HTTP. It owns addresses, tokens, timeouts and what is said when they fail; it decides nothing."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from json import JSONDecodeError
from types import TracebackType
from typing import Any, Self

import httpx

from warnd.cli.stop import Exit, Stop
from warnd.cli.words import plain, reasons

DEFAULT_URL = "http://127.0.0.1:8080"
CAP_TYPE = "application/cap+xml"
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the daemon said.

    Attributes:
        text: The body exactly as it came, for `--json`.
        document: The same, parsed: always an object.
    """

    status: int
    text: str
    document: Mapping[str, Any]

    @property
    def good(self) -> bool:
        """True for any 2xx; a held warning (202) is among them."""
        return httpx.codes.is_success(self.status)


class Api:
    """One connection to one daemon, with one token.

    Attributes:
        token: What it shows at the door; None = nothing.
    """

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url
        self.token = token
        # A proxy meant for the outside world cannot reach this machine's own loopback.
        self._http = httpx.Client(
            base_url=url,
            timeout=_TIMEOUT,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            trust_env=not _is_loopback(httpx.URL(url).host),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Answer:
        """Read one document; parameters that are None are left out."""
        asked = {name: value for name, value in (params or {}).items() if value is not None}
        return self._ask(self._http.build_request("GET", path, params=asked))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Post a JSON object (an empty body for None)."""
        return self._ask(self._http.build_request("POST", path, json=body))

    def post_cap(self, path: str, document: bytes) -> Answer:
        """Post a CAP document as it is."""
        return self._ask(self._http.build_request("POST", path, content=document, headers={"Content-Type": CAP_TYPE}))

    def pages(self, path: str, params: Mapping[str, Any] | None = None) -> Iterator[Answer]:
        """Read a listing page by page until its cursor ends."""
        cursor = None
        while True:
            answer = self.get(path, {**(params or {}), **({"cursor": cursor} if cursor else {})})
            yield answer
            cursor = answer.document.get("cursor") if answer.good else None
            if not cursor:
                return

    def _ask(self, request: httpx.Request) -> Answer:
        try:
            response = self._http.send(request)
        except httpx.TimeoutException as late:
            raise Stop(
                f"warnd at {self._url} did not answer in time ({request.method} {request.url.path}).\n"
                "Nothing is known about what it did: look with `warnd status` before you try again.",
                code=Exit.UNREACHABLE,
            ) from late
        except httpx.HTTPError as error:
            raise Stop(
                f"Cannot reach warnd at {self._url}: {plain(error)}.\n"
                "Is `warnd serve` running there? WARND_URL says where to look.",
                code=Exit.UNREACHABLE,
            ) from error
        return Answer(response.status_code, response.text, self._document(response))

    def _document(self, response: httpx.Response) -> Mapping[str, Any]:
        try:
            document = response.json()
        except (JSONDecodeError, UnicodeDecodeError):
            document = None
        if isinstance(document, dict):
            return document
        raise Stop(
            f"{self._url} answered {response.status_code} without a JSON object: something else than warnd listens there, or a proxy "
            "stands between. Check WARND_URL.",
            code=Exit.UNREACHABLE,
        )


def connect(environ: Mapping[str, str] = os.environ) -> Api:
    """Return the daemon that WARND_URL and WARND_TOKEN name.

    Raises:
        Stop: WARND_URL is no http address, or the token holds characters that no header can carry.
    """
    url = environ.get("WARND_URL") or DEFAULT_URL
    if not url.startswith(("http://", "https://")):
        raise Stop(f"WARND_URL is {plain(url)!r}; write an address such as {DEFAULT_URL}", code=Exit.USAGE)
    token = (environ.get("WARND_TOKEN") or "").strip()
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise Stop("WARND_TOKEN holds spaces or characters that no token has; copy it again.", code=Exit.USAGE)
    try:
        return Api(url.rstrip("/"), token or None)
    except httpx.InvalidURL as error:
        raise Stop(f"WARND_URL is {plain(url)!r}: {plain(error)}", code=Exit.USAGE) from error


def must(answer: Answer) -> Mapping[str, Any]:
    """Return the document of a good answer.

    Raises:
        Stop: The daemon said no (1) or failed itself (3); the message has its reasons.
    """
    if answer.good:
        return answer.document
    raise Stop(complaint(answer), code=exit_code(answer))


def exit_code(answer: Answer) -> Exit:
    """Return 0 for a good answer, 1 when the daemon says no, 3 when it failed itself."""
    if answer.good:
        return Exit.FINE
    return Exit.UNREACHABLE if httpx.codes.is_server_error(answer.status) else Exit.NO


def complaint(answer: Answer) -> str:
    """Return problem details (RFC 9457) as lines: what, where, what to do."""
    document = answer.document
    lines = [f"warnd answered {answer.status}: {plain(document.get('detail') or document.get('title'))}"]
    lines += reasons(document.get("reasons") or ())
    if document.get("id"):
        lines.append(f"  kept as {plain(document['id'])}")
    if answer.status == httpx.codes.UNAUTHORIZED:
        lines.append("  to do: set WARND_TOKEN to a token that `warnd token create` printed")
    return "\n".join(lines)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
