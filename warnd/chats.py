"""Addresses of chat services as Apprise writes them, and which of them may be used.

The library behind them can also run programs, read files and call any host, so an address is taken only if its service is allowed, and
only with the few parameters that say whom it is for: whoever may import recipients must not thereby command this machine. An address
holds secrets; nothing here repeats one.
"""

import logging
import re
import warnings
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from apprise import AppriseAsset, NotifyBase, OverflowMode

SERVICES = (
    "dingtalk",
    "discord",
    "feishu",
    "gchat",
    "kakaotalk",
    "lark",
    "line",
    "pushplus",
    "schan",
    "slack",
    "tgram",
    "viber",
    "wecombot",
    "whatsapp",
    "wxpusher",
    "wxteams",
    "zalo",
)
"""What may be used unless the settings say otherwise: services that are reached at their own host, whatever the address says."""

LONGEST = 1_024
_SERVICE = re.compile(r"[a-z][a-z0-9]{1,19}")
# Whom it is for. Others name files ("template"), switch off the check of certificates, or try again behind the ledger's back.
_PARAMETERS = frozenset({"mode", "thread", "to", "topic"})


class BadChatAddress(ValueError):  # noqa: N818 - it names what was written
    """An address cannot be used.

    Attributes:
        cause: Why, as it follows the name of a column or leg; never with the address.
        fix: What to do.
    """

    def __init__(self, cause: str, fix: str) -> None:
        super().__init__(f"{cause}. {fix}")
        self.cause = cause
        self.fix = fix


def open_chat(address: str, services: Collection[str]) -> "NotifyBase":
    """Return what sends to an address; nothing is sent by that.

    Args:
        address: As Apprise writes it, like "wecombot://<key>".
        services: Names of the services that may be used.

    Raises:
        BadChatAddress: It cannot be used.
    """
    service = _allowed(address, services)
    library = _library()
    parts = library.url_to_dict(address)
    if parts is not None and not _asked(parts) <= _PARAMETERS:
        raise BadChatAddress(
            "has parameters that may not be set", f"Behind the ? only {', '.join(sorted(_PARAMETERS))} may stand."
        )
    made = None if parts is None else library.instantiate(parts, _asset())
    if made is None:
        raise BadChatAddress(
            f"{service} cannot make sense of what follows {service}://",
            f"See the library's page on {service} for its form.",
        )
    if len(made) != 1:  # One answer stands for one recipient.
        raise BadChatAddress(f"names {len(made)} receivers of {service}", "Give each recipient an address with one.")
    made.overflow_mode = library.split
    made.request_rate_per_sec = 0  # It would sleep for seconds; how fast we go is the lane's matter.
    return made


def load() -> None:
    """Load the library now, so that the first message does not wait for it."""
    _library()


def known(service: str) -> bool:
    """Say whether the library has a service of this name."""
    return _library().knows(service)


def _asked(parts: Mapping[str, Any]) -> set[str]:
    """Return the names of an address's parameters as the library itself read them: it parts them in more ways than the standard."""
    return {str(name).lower() for key in ("qsd", "qsd+", "qsd-", "qsd:") for name in parts.get(key) or ()}


def _allowed(address: str, services: Collection[str]) -> str:
    service, _, rest = address.partition("://")
    service = service.lower()
    if not rest or not _SERVICE.fullmatch(service) or len(address) > LONGEST or not address.isprintable():
        raise BadChatAddress(
            "is no address of a chat service",
            'Write it as Apprise does, like "wecombot://KEY" or "tgram://TOKEN/CHAT".',
        )
    if service not in services:
        raise BadChatAddress(
            f"names {service}, which may not be used here",
            f"Use one of {', '.join(sorted(services))}, or let an operator add it to apprise.services.",
        )
    return service


class _Library(NamedTuple):
    """What is used of the library."""

    url_to_dict: Callable[[str], dict[str, Any] | None]
    instantiate: "Callable[[dict[str, Any], AppriseAsset], NotifyBase | None]"
    knows: Callable[[str], bool]
    split: "OverflowMode"


@cache
def _library() -> _Library:
    """Load it, which takes half a second and 20 MB, only where an address is really looked at."""
    from apprise import Apprise, OverflowMode  # noqa: PLC0415 - see above
    from apprise.apprise import N_MGR  # noqa: PLC0415 - see above
    from apprise.plugins import url_to_dict  # noqa: PLC0415 - see above

    with warnings.catch_warnings():  # Of its hundred parts some load old modules.
        warnings.simplefilter("ignore", DeprecationWarning)
        "" in N_MGR  # noqa: B015 - asking loads them
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # It writes addresses into the log, some of them whole.
    return _Library(url_to_dict, Apprise.instantiate, N_MGR.__contains__, OverflowMode.SPLIT)


@cache
def _asset() -> "AppriseAsset":
    from apprise import AppriseAsset  # noqa: PLC0415 - see `_library`

    return AppriseAsset(
        app_id="warnd",
        app_desc="warnd",
        app_url="",
        allow_templates=False,
        async_mode=False,
        http_redirects=False,
        storage_mode="memory",
    )
