"""What the settings mean for one part each."""

from collections.abc import Mapping

from warnd.dispatch.pace import LaneLimits
from warnd.dispatch.recordings import Limits
from warnd.model import cap
from warnd.model.level import Level
from warnd.model.push import application_server_key, load_vapid_key
from warnd.model.reason import Reason
from warnd.render import Templates, facts
from warnd.render.speech import Studio, notes
from warnd.settings import Settings
from warnd.web.doors import Node
from warnd.web.push import Push


def node_of(settings: Settings) -> Node:
    """Return whom the public site speaks for."""
    own = settings.node
    return Node(name=own.name, jurisdiction=own.jurisdiction, timezone=own.timezone, languages=own.languages)


def push_of(settings: Settings) -> Push | None:
    """Return what subscribing needs; None = Web Push is off."""
    own = settings.push
    if own is None:
        return None
    key = application_server_key(load_vapid_key(own.vapid_key_file))
    return Push(key=key, services=own.services, most=own.subscriptions_max)


def severities(settings: Settings) -> dict[str, dict[str, Level]]:
    """Return CAP sender -> CAP severity -> level."""
    return {
        sender: {str(name): level for name, level in table.items()} for sender, table in settings.intake.levels.items()
    }


def recording_limits(settings: Settings, public_url: str) -> Limits:
    """Return how long commands wait for recordings, and where terminals fetch them."""
    own = settings.speech
    url = (own.audio_url if own is not None else None) or public_url.rstrip("/")
    return Limits(url=url, wait_s=0.0 if own is None else own.wait_s)


def lane_limits(settings: Settings, channel: str) -> LaneLimits:
    """Return the pace of a channel's lanes; one whose section names none has the usual one."""
    section = getattr(settings, channel, None)
    rate, concurrency = getattr(section, "rate_per_s", None), getattr(section, "concurrency", None)
    return LaneLimits() if rate is None or concurrency is None else LaneLimits(rate, concurrency)


def missing_elements(
    templates: Templates, sender_names: Mapping[str, str], alert: cap.Alert, level: Level | None
) -> tuple[Reason, ...]:
    """Return the elements without which the texts cannot be made."""
    return templates.missing(facts(alert, level=level, sender_names=sender_names))


def remarks(studio: Studio | None, alert: cap.Alert) -> tuple[Reason, ...]:
    """Return what an operator should know about recordings that come with an alert."""
    return tuple(notes(alert, used=False)) if studio is None else studio.notes(alert)
