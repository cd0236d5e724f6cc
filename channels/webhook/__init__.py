"""Outgoing webhooks by Standard Webhooks: other systems are told of every public message (DESIGN §8)."""

from channels.webhook.channel import WebhookChannel
from warnd.channel import Context
from warnd.settings import Settings

__all__ = ["WebhookChannel", "build"]


def build(settings: Settings, context: Context) -> WebhookChannel | None:
    """Return the channel, or None if no endpoint is named."""
    if settings.webhook is None:
        return None
    return WebhookChannel(settings.webhook, clock=context.clock, public_url=settings.http.public_url)
