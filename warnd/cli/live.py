"""`warnd check --live`: tries every configured provider for real, beside a running daemon or without one, and tells nobody anything.

Channels are built as the daemon builds them and asked to try their other side; none is run, so nothing is sent, received or stored.
"""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass

from channels import CHANNELS, Build
from warnd.channel import Channel, Context, Finding, Prober
from warnd.clock import SystemClock
from warnd.settings import Settings

_WITHIN_S = 30.0  # For one channel with all its gateways; they are tried side by side.


@dataclass(frozen=True, slots=True)
class Trial:
    """What the tries of one channel showed; without findings there was nothing to try."""

    channel: str
    findings: tuple[Finding, ...]


def trials(settings: Settings, *, build: Mapping[str, Build] = CHANNELS, within_s: float = _WITHIN_S) -> list[Trial]:
    """Try every channel that the settings turn on; return what was found, in the order of the channels' names."""
    return asyncio.run(_all(_as_a_worker(settings), build, within_s=within_s))


def _as_a_worker(settings: Settings) -> Settings:
    """Try what a worker of a shared store will ask for, too: to share what comes in takes rights of its own at a broker."""
    if not settings.store.shared or settings.node.worker is not None:
        return settings
    return settings.model_copy(update={"node": settings.node.model_copy(update={"worker": "check"})})


async def _all(settings: Settings, build: Mapping[str, Build], *, within_s: float) -> list[Trial]:
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_one(name, build[name], settings, within_s=within_s), name=f"probe:{name}")
            for name in sorted(build)
        ]
    return [trial for task in tasks if (trial := task.result()) is not None]


async def _one(name: str, make: Build, settings: Settings, *, within_s: float) -> Trial | None:
    try:
        channel = make(settings, _context())
        return None if channel is None else Trial(name, tuple(await _probed(channel, within_s)))
    except TimeoutError:
        wrong = f"It was not done within {within_s:.0f} s. Try again, and look at the network between here and there."
    except Exception as error:  # noqa: BLE001 - the edge to other people's code: the other channels are still tried
        told = (str(error) or type(error).__name__).rstrip(".")
        wrong = f"{told}. Correct its section in the settings."
    return Trial(name, (Finding(name, wrong=wrong),))


async def _probed(channel: Channel, within_s: float) -> list[Finding]:
    candidate: object = channel
    if not isinstance(candidate, Prober):
        return []
    async with asyncio.timeout(within_s):
        return list(await candidate.probe())


def _context() -> Context:
    return Context(
        clock=SystemClock(), random=random.SystemRandom(), terminal_key=_nobody, announce=lambda _message_id: None
    )


async def _nobody(_terminal: str) -> bytes | None:
    """Know no terminal: nothing is received here."""
    return None
