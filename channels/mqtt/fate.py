"""What goes out in one packet, and what can become of it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parcel:
    """One PUBLISH with QoS 1. `expiry_s` is its message expiry interval, 1 or more."""

    topic: str
    payload: bytes
    retain: bool
    expiry_s: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The broker answered with this reason code."""

    code: int


@dataclass(frozen=True, slots=True)
class NotSent:
    """It was never given to the network."""

    cause: str


@dataclass(frozen=True, slots=True)
class Lost:
    """It was given to the network, and the connection ended before an answer."""

    cause: str


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The broker takes packets of at most so many bytes, and this one is larger."""

    limit_bytes: int


Fate = Answered | NotSent | Lost | TooLarge
Wrap = Callable[[], Parcel | None]  # Called when the try's turn has come; None = it shall not start any more.
Settle = Callable[[Fate], None]


async def fate_of(submit: Callable[[Wrap, Settle], None], wrap: Callable[[], Parcel]) -> Fate:
    """Submit one parcel and return what became of it; whoever waits may be cancelled, and is then told nothing."""
    fate: asyncio.Future[Fate] = asyncio.get_running_loop().create_future()
    submit(wrap, lambda found: None if fate.done() else fate.set_result(found))
    return await fate
