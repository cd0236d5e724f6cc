"""What a receiver's status means: RFC 9110 §15, and what Standard Webhooks asks of senders.

The latter is github.com/standard-webhooks/standard-webhooks, spec, "Operational considerations". A receiver knows a repeated post by its
id, so whatever may be mended while the warning lives is tried again; and a status that is not named here is tried again, too.
"""

from http import HTTPStatus

from channels.posting import Meaning

_BY_STATUS: dict[int, Meaning] = {
    HTTPStatus.GONE: "permanent",  # The receiver's own word for "never again".
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "permanent",  # The same body will not get smaller.
    HTTPStatus.TOO_MANY_REQUESTS: "throttled",
    HTTPStatus.SERVICE_UNAVAILABLE: "throttled",
    HTTPStatus.BAD_GATEWAY: "ambiguous",  # Whoever stands in front of it does not know whether it got there.
    HTTPStatus.GATEWAY_TIMEOUT: "ambiguous",
}
_SUCCESS = range(200, 300)


def meaning(status: int) -> Meaning:
    """Return what to make of an HTTP status."""
    return "accepted" if status in _SUCCESS else _BY_STATUS.get(status, "transient")
