"""Text messages. A provider carries them; the only one so far is a spool folder (DESIGN §10)."""

from channels.sms.spool import Spool
from warnd.channel import Context
from warnd.settings import Settings

__all__ = ["Spool", "build"]


def build(settings: Settings, context: Context) -> Spool | None:
    """Return the channel of the chosen provider, or None if `[sms]` is missing."""
    if settings.sms is None:
        return None
    return Spool(settings.sms.spool.dir, clock=context.clock, random=context.random)
