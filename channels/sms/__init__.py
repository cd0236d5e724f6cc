"""Text messages: the gateways that the settings choose, as the senders of one channel.

A gateway is a package here with `build(settings, context)` and a line in `GATEWAYS`.
"""

import importlib
from collections.abc import Mapping
from typing import cast

from channels.sms.fleet import Fleet, Named
from channels.sms.gateway import Gateway
from warnd.channel import Context, Sender
from warnd.settings import Settings
from warnd.settings.sections.sms import SmsSender

GATEWAYS: Mapping[str, str] = {
    "spool": "channels.sms.spool",
    "twilio": "channels.sms.twilio",
    "http": "channels.sms.http_gateway",  # A package named `http` would hide the standard library's from careless imports.
    "smpp": "channels.sms.smpp",
}
"""`sms.provider` -> its package, imported only when it is chosen: a gateway that is off costs no memory."""


def build(settings: Settings, context: Context) -> Fleet | None:
    """Return the gateways of `sms.senders`, or else `sms.provider` and `sms.fallback`; None if `[sms]` is missing."""
    own = settings.sms
    if own is None:
        return None
    if own.senders:
        return Fleet([_named(name, one, settings, context) for name, one in own.senders.items()], context)
    ways = [(Sender(own.provider), _gateway(own.provider, settings, context))]
    if own.fallback is not None:  # Its weight is 0: it carries only what the first cannot.
        ways.append((Sender(own.fallback, weight=0), _gateway(own.fallback, settings, context)))
    return Fleet(ways, context)


def _named(name: str, sender: SmsSender, settings: Settings, context: Context) -> tuple[Sender, Gateway]:
    """Return a sender and its gateway, which is built as if its own table were that of `[sms]`."""
    assert settings.sms is not None
    table = getattr(sender, sender.provider)
    if table is not None:
        settings = settings.model_copy(update={"sms": settings.sms.model_copy(update={sender.provider: table})})
    gateway = _gateway(sender.provider, settings, context)
    limits = Sender(name, weight=sender.weight, rate_per_s=sender.rate_per_s, concurrency=sender.concurrency)
    return limits, Named(gateway, name)


def _gateway(provider: str, settings: Settings, context: Context) -> Gateway:
    return cast("Gateway", importlib.import_module(GATEWAYS[provider]).build(settings, context))
