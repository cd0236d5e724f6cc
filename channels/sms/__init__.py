"""Text messages: the gateway that the settings choose, and with a fallback the chooser between two.

A gateway is a package here with `build(settings, context)` and a line in `GATEWAYS`.
"""

import importlib
from collections.abc import Mapping
from typing import cast

from channels.sms.chooser import Chooser
from channels.sms.gateway import Gateway
from warnd.channel import Context
from warnd.settings import Settings

GATEWAYS: Mapping[str, str] = {
    "spool": "channels.sms.spool",
    "twilio": "channels.sms.twilio",
    "http": "channels.sms.http_gateway",  # A package named `http` would hide the standard library's from careless imports.
    "smpp": "channels.sms.smpp",
}
"""`sms.provider` -> its package, imported only when it is chosen: a gateway that is off costs no memory."""


def build(settings: Settings, context: Context) -> Gateway | None:
    """Return the gateway of `sms.provider`, with `sms.fallback` behind it if there is one; None if `[sms]` is missing."""
    if settings.sms is None:
        return None
    provider, fallback = settings.sms.provider, settings.sms.fallback
    first = _gateway(provider, settings, context)
    if fallback is None:
        return first
    return Chooser(((provider, first), (fallback, _gateway(fallback, settings, context))), context)


def _gateway(provider: str, settings: Settings, context: Context) -> Gateway:
    return cast("Gateway", importlib.import_module(GATEWAYS[provider]).build(settings, context))
