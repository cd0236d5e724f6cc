"""Who may do what at the broker, in the words of mosquitto's dynamic security: the same as config/mosquitto/acl gives by file.

One role for each terminal and root, because mosquitto 2.0 takes `%u` in no subscription pattern.
"""

from collections.abc import Sequence
from typing import Any, Final

from warnd.model.loudspeaker import (
    DRILL_ROOT,
    LIVE_ROOT,
    receipt_topic,
    region_command_topic,
    state_topic,
    terminal_command_topic,
)

DRILL_SUFFIX: Final = "-drill"
DAEMON: Final = "warnd"

# What nobody may do unless a role says so. Unsubscribing harms no one.
DEFAULTS: Final = (
    {"acltype": "publishClientSend", "allow": False},
    {"acltype": "publishClientReceive", "allow": False},
    {"acltype": "subscribe", "allow": False},
    {"acltype": "unsubscribe", "allow": True},
)


def user_of(name: str, root: str) -> str:
    """Return under which user a terminal or the daemon logs in for a root; live and drill share no user."""
    return name + (DRILL_SUFFIX if root == DRILL_ROOT else "")


def terminal_rights(terminal: str, root: str) -> Sequence[dict[str, Any]]:
    """Return a terminal's rights under a root: its own subtree, and what is said to regions."""
    own, regions = terminal_command_topic(root, terminal), region_command_topic(root, "+", "+")
    return [
        _allow("publishClientSend", receipt_topic(root, terminal)),
        _allow("publishClientSend", state_topic(root, terminal)),
        _allow("subscribeLiteral", own),
        _allow("subscribePattern", regions),
        _allow("publishClientReceive", own),
        _allow("publishClientReceive", regions),
    ]


def daemon_rights(root: str) -> Sequence[dict[str, Any]]:
    """Return the daemon's rights under a root: it commands, and reads what terminals prove; it writes no receipt and no state.

    Under the live root it also gives signs of life.
    """
    told = (receipt_topic(root, "+"), state_topic(root, "+"))
    return [
        _allow("publishClientSend", region_command_topic(root, "+", "+")),
        _allow("publishClientSend", terminal_command_topic(root, "+")),
        *([_allow("publishClientSend", f"{root}/centre/+/alive")] if root == LIVE_ROOT else []),
        *(_allow("subscribeLiteral", topic) for topic in told),
        *(_allow("subscribePattern", f"$share/+/{topic}") for topic in told),  # One of several workers.
        *(_allow("publishClientReceive", topic) for topic in told),
    ]


def role_of(user: str) -> str:
    """Return the name of a user's own role."""
    return f"warnd:{user}"


def _allow(kind: str, topic: str) -> dict[str, Any]:
    return {"acltype": kind, "topic": topic, "allow": True, "priority": 0}


ROOTS: Final = {"live": LIVE_ROOT, "drill": DRILL_ROOT}
