"""Lets us hear what chat services truly answer: the library tells only yes or no, and takes every HTTP 200 for a yes.

Its parts call `requests.post` and the like by the name `requests` in their own module; there we put a stand-in that calls the same
functions, bounds them, and remembers their answers for whoever listens. `requests` itself stays as it is for everybody else.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import requests

_ANSWER_MAX = 1 << 20  # Bytes; services answer with less than a kilobyte.
_PIECE = 16 * 1024
_METHODS = frozenset({"delete", "get", "head", "patch", "post", "put", "request"})


@dataclass(slots=True)
class Heard:
    """What was answered to one message, in order.

    Attributes:
        timeout_s: For connecting, and for each wait for more of the answer.
        answers: (status, parsed JSON or None, headers) of each request.
        broke: The failure of the request that got no answer, if one did not.
    """

    timeout_s: float
    answers: list[tuple[int, Any, Mapping[str, str]]] = field(default_factory=list)
    broke: Exception | None = None


_listening: ContextVar[Heard | None] = ContextVar("apprise_heard", default=None)


@contextmanager
def listening(part: object, *, timeout_s: float) -> Iterator[Heard]:
    """Hear what the library's part for one service is answered; in this thread only."""
    module: Any = sys.modules[type(part).__module__]
    if getattr(module, "requests", None) is requests:
        module.requests = _STAND_IN
    heard = Heard(timeout_s)
    token = _listening.set(heard)
    try:
        yield heard
    finally:
        _listening.reset(token)


class _StandIn:
    """`requests`, overheard."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(requests, name)
        if name not in _METHODS:
            return found

        def overheard(*args: Any, **kwargs: Any) -> requests.Response:
            return _ask(found, *args, **kwargs)

        return overheard


_STAND_IN = _StandIn()


def _ask(method: Any, *args: Any, **kwargs: Any) -> requests.Response:
    heard = _listening.get()
    if heard is None:
        made: requests.Response = method(*args, **kwargs)
        return made
    bounds = {"timeout": (heard.timeout_s, heard.timeout_s), "allow_redirects": False, "stream": True}
    try:
        response: requests.Response = method(*args, **(kwargs | bounds))
        _read(response)
    except requests.RequestException as error:
        heard.broke = error
        raise
    heard.answers.append((response.status_code, _json(response), response.headers))
    return response


def _read(response: requests.Response) -> None:
    """Read an answer's body, unpressed; the library itself would read one that never ends until no memory is left.

    Raises:
        requests.RequestException: It broke off, or is too large.
    """
    body = bytearray()
    with response:
        for piece in response.iter_content(_PIECE):
            body += piece
            if len(body) > _ANSWER_MAX:
                raise requests.RequestException("the answer does not end")
    response._content = bytes(body)  # noqa: SLF001 - where the library keeps it; it has no public word for this


def _json(response: requests.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None
