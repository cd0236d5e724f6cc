"""The `smpp` gateway: a carrier's message centre by SMPP 3.4."""

from channels.sms.smpp.gateway import SmppGateway
from warnd.channel import Context
from warnd.settings import Settings

__all__ = ["SmppGateway", "build"]


def build(settings: Settings, context: Context) -> SmppGateway:
    """Return the gateway of `[sms.smpp]`."""
    assert settings.sms is not None
    assert settings.sms.smpp is not None, "the settings demand the table of each chosen provider"
    return SmppGateway(settings.sms.smpp, clock=context.clock, random=context.random)
