"""What a push service's status means.

RFC 8030 §5 and §7.3; beyond it what the services publish: Mozilla (autopush "Error Codes"), Apple ("Sending web push notifications"),
Google (FCM error codes) and Microsoft (WNS "Push notification service request and response headers", for 405 and 406). A status that is
not here is tried again and logged.
"""

from channels.posting import Meaning

STATUSES: dict[int, Meaning] = {
    200: "accepted",
    201: "accepted",
    202: "accepted",
    400: "permanent",  # The request itself; it will be the same next time.
    401: "transient",  # Our key or our clock: an operator may mend it while the warning lives.
    403: "transient",  # The same, as Google and Apple say it.
    404: "gone",
    405: "permanent",  # Apple's and Microsoft's word for a request that is no POST; ours always is.
    406: "throttled",  # Microsoft's word for too many.
    410: "gone",
    413: "permanent",
    429: "throttled",
    500: "transient",
    502: "ambiguous",
    503: "throttled",
    504: "ambiguous",
}


def meaning(status: int) -> Meaning | None:
    """Return what to make of an HTTP status; None = nobody published it."""
    return STATUSES.get(status)
