"""Web Push: browsers that subscribed to a place are told of its warnings (DESIGN §8; RFC 8030, 8291, 8292)."""

from channels.push.channel import PushChannel
from warnd.channel import Context
from warnd.settings import Settings

__all__ = ["PushChannel", "build"]


def build(settings: Settings, context: Context) -> PushChannel | None:
    """Return the channel, or None if it has no settings.

    Raises:
        KeyFileError: The key cannot be used.
    """
    return None if settings.push is None else PushChannel(settings.push, clock=context.clock)
