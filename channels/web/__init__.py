"""The public site as a channel (DESIGN §8). The site itself is `warnd.web`; this only says that it must show a message now."""

from channels.web.site import SitePage
from warnd.channel import Context
from warnd.settings import Settings

__all__ = ["SitePage", "build"]


def build(settings: Settings, context: Context) -> SitePage | None:
    """Return the channel, or None if the public site is off."""
    if not settings.web.site:
        return None
    return SitePage(
        clock=context.clock,
        announce=context.announce,
        own_url=settings.http.own_url,
        public_url=settings.http.public_url,
    )
