"""What systemd is told (sd_notify(3)): that warnd is ready, what it is doing, and that its event loop still turns."""

import asyncio
import os
import socket
from collections.abc import Mapping

import structlog

log = structlog.get_logger(__name__)


def notify(*lines: str, env: Mapping[str, str] = os.environ) -> None:
    """Send "READY=1" and the like; nothing happens where systemd did not start this process."""
    address = env.get("NOTIFY_SOCKET", "")
    if not address:
        return
    where = "\0" + address[1:] if address.startswith("@") else address  # An abstract socket.
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.sendto("\n".join(lines).encode(), where)
    except OSError as error:
        log.warning("systemd_not_told", error=str(error))


def watched_for_s(*, env: Mapping[str, str] = os.environ) -> float | None:
    """Return after how long without "WATCHDOG=1" systemd restarts this process; None = it does not watch."""
    told, pid = env.get("WATCHDOG_USEC", ""), env.get("WATCHDOG_PID", "")
    mine = not pid or pid == str(os.getpid())
    return int(told) / 1_000_000 if told.isdecimal() and int(told) > 0 and mine else None


async def turn(*, env: Mapping[str, str] = os.environ) -> None:
    """Show until cancelled that the event loop turns, on the loop itself: if it is stuck, nothing is sent and systemd acts."""
    within_s = watched_for_s(env=env)
    while within_s is not None:
        notify("WATCHDOG=1", env=env)
        await asyncio.sleep(within_s / 3)
