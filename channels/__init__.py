"""The channels that exist. Adding one is a package here and a line in `CHANNELS`; nothing in `warnd` changes."""

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from warnd.channel import Channel, Context
from warnd.model.evidence import Evidence

if TYPE_CHECKING:
    from warnd.settings import Settings

Build = Callable[["Settings", Context], Channel | None]  # None: its section is missing, so the channel is off.


def _package(name: str) -> Build:
    """Return the `build` of a package here, imported only where it has a section or needs none: one that is off costs nothing."""

    def build(settings: "Settings", context: Context) -> Channel | None:
        if getattr(settings, name, settings) is None:
            return None
        return cast("Build", importlib.import_module(f"channels.{name}").build)(settings, context)

    return build


CHANNELS: Mapping[str, Build] = {
    name: _package(name) for name in ("apprise", "email", "mqtt", "push", "sms", "web", "webhook")
}

STRONGEST: Mapping[str, Evidence] = {
    "apprise": Evidence.ACCEPTED,
    "email": Evidence.ACKNOWLEDGED,  # By the link in it.
    "mqtt": Evidence.PRESENTED,
    "push": Evidence.ACCEPTED,
    "sms": Evidence.ACKNOWLEDGED,
    "web": Evidence.ACCEPTED,
    "webhook": Evidence.ACCEPTED,
}
"""What each channel can ever prove, known without building it: plans are checked against it. The contract suite compares."""
