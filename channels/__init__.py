"""The channels that exist. Adding one is a package here and a line in `CHANNELS`; nothing in `warnd` changes."""

from collections.abc import Callable, Mapping
from typing import Final

from channels import mqtt, sms, web
from warnd.channel import Channel, Context
from warnd.settings import Settings

Build = Callable[[Settings, Context], Channel | None]  # None: its section is missing, so the channel is off.

CHANNELS: Final[Mapping[str, Build]] = {"mqtt": mqtt.build, "sms": sms.build, "web": web.build}
