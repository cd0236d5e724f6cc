"""Addresses as they may be shown and logged: enough to recognise one's own, too little to call anybody."""

import json
from urllib.parse import urlsplit

_STARS = "*****"  # Always as many, so that the length says nothing.
_SHORT = 9  # Up to this many characters an address is a short code, of which the ends would be nearly all.


def masked(address: str) -> str:
    """Return a phone number or mail address with its middle hidden: +86138*****21, o*****@county.example.

    Of a chat's address only the service is left, of a browser's only the host of its push service: all the rest is a key to it.
    Loudspeakers', the site's and webhooks' addresses ("region:<code>", "terminal:<id>", "site", "webhook:<name>") are nobody's secret
    and stay.
    """
    if address.startswith("{"):
        return f"{_push_host(address)}/{_STARS}"
    service, url, _ = address.partition("://")
    if url:
        return f"{service}://{_STARS}"
    name, at, domain = address.partition("@")
    if at:
        return f"{name[:1]}{_STARS}@{domain}"
    if not address.removeprefix("+").isdigit():
        return address if address == "site" or ":" in address else f"{address[:1]}{_STARS}"
    if len(address) <= _SHORT:
        return f"{address[:1]}{_STARS}"
    kept = 6 if address.startswith("+86") else 4  # The country code and the operator's prefix, as far as one can tell.
    return f"{address[:kept]}{_STARS}{address[-2:]}"


def _push_host(address: str) -> str:
    try:
        return str(urlsplit(json.loads(address)["endpoint"]).hostname)
    except (ValueError, LookupError, TypeError, AttributeError):
        return _STARS
