"""The `spool` gateway: a folder, carried by a bridge of the operator's own (DESIGN §10)."""

from channels.sms.spool.spool import Spool
from warnd.channel import Context
from warnd.settings import Settings

__all__ = ["Spool", "build"]


def build(settings: Settings, context: Context) -> Spool:
    """Return the gateway of `[sms.spool]`."""
    assert settings.sms is not None
    assert settings.sms.spool is not None, "the settings demand the table of each chosen provider"
    return Spool(settings.sms.spool.dir, clock=context.clock, random=context.random)
