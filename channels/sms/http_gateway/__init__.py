"""The `http` gateway: one that settings describe, whoever provides it. No provider has code of its own here."""

from channels.sms.http_gateway.gateway import HttpGateway
from warnd.channel import Context
from warnd.settings import Settings

__all__ = ["HttpGateway", "build"]


def build(settings: Settings, context: Context) -> HttpGateway:
    """Return the gateway of `[sms.http]`."""
    assert settings.sms is not None
    assert settings.sms.http is not None, "the settings demand the table of each chosen provider"
    return HttpGateway(settings.sms.http, clock=context.clock, random=context.random)
