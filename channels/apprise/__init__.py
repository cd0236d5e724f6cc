"""Chat and message services by each recipient's Apprise address (DESIGN §8): WeCom, DingTalk, Feishu, Telegram, Slack and more."""

from channels.apprise.channel import AppriseChannel
from warnd import chats
from warnd.channel import Context
from warnd.settings import Settings

__all__ = ["AppriseChannel", "build"]


def build(settings: Settings, context: Context) -> AppriseChannel | None:
    """Return the channel, or None if it has no settings."""
    if settings.apprise is None:
        return None
    chats.load()
    return AppriseChannel(settings.apprise, clock=context.clock)
