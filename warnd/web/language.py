"""Which language a visitor reads: what they chose by ?lang=, else what their browser asks for, else the node's first."""

from collections.abc import Sequence

from starlette.requests import Request

from warnd.model.cap import primary_language

_RANGES_MAX = 20  # Of an Accept-Language header; nobody reads more languages than that.


def choose(request: Request, available: Sequence[str]) -> str:
    """Return one of `available` (primary codes, preferred first, at least one)."""
    wanted = [primary_language(request.query_params.get("lang", "")), *_accepted(request)]
    return next((lang for lang in wanted if lang in available), available[0])


def _accepted(request: Request) -> list[str]:
    """Return the languages of Accept-Language, most wanted first (RFC 9110 §12.5.4)."""
    ranges = []
    for part in request.headers.get("accept-language", "").split(",")[:_RANGES_MAX]:
        tag, _, parameters = part.partition(";")
        weight = _weight(parameters)
        if tag.strip() and weight > 0:
            ranges.append((weight, primary_language(tag)))
    return [tag for _, tag in sorted(ranges, key=lambda each: -each[0])]


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0
