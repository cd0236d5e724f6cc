"""What HTTP statuses say about a text that was handed over, in one table. Source: RFC 9110 §15, RFC 6585.

A status tells of the gateway, never of a phone, so none of them is permanent: that word is for numbers and comes from the gateway's own
codes. Statuses after which the text may have been taken all the same are ambiguous: it is never sent again blindly.
"""

from collections.abc import Mapping

from warnd.settings.sections.sms_http import Fate

STATUSES: Mapping[int, Fate] = {
    429: "throttled",
    500: "ambiguous",  # It broke, and nobody says after how much of the work.
    501: "transient",
    502: "ambiguous",  # Whoever stood before the gateway lost its answer, …
    503: "transient",  # (throttled, where it says how long to wait)
    504: "ambiguous",  # … or did not wait for it.
    505: "transient",
    507: "transient",
    508: "transient",
    511: "transient",
}
_SUCCESSES = range(200, 300)
_SERVER_ERRORS = range(500, 600)


def fate_of(status: int, *, told_to_wait: bool) -> Fate:
    """Return what a status means under which nothing counts as taken.

    Any other 2xx and 5xx is ambiguous; all the rest (a redirection, a refusal) is transient: certainly not taken, and ours to mend.
    """
    if status == 503 and told_to_wait:  # noqa: PLR2004 - RFC 9110 §15.6.4
        return "throttled"
    default: Fate = "ambiguous" if status in _SUCCESSES or status in _SERVER_ERRORS else "transient"
    return STATUSES.get(status, default)
