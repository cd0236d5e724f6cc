"""Keeps one broker account connected: a fresh session after every break, subscribed again, the wait between them random.

Owns when to connect. What comes in goes to the inbox, what goes out is given to the session that is up; nothing is kept for later here,
because a command that waits here could leave after it was reported as failed.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from random import Random

import structlog

from channels.mqtt.fate import NotSent, Parcel, Settle, Wrap
from channels.mqtt.options import LineOptions
from channels.mqtt.session import Arrival, ConnectError, Session, connected
from warnd.clock import Clock

_STATES_S = 10.0

_log = structlog.get_logger(__name__)


class Line:
    """The standing connection of one account.

    Args:
        forgotten: Called after each connection for which the broker had no session left of ours.
    """

    def __init__(self, options: LineOptions, clock: Clock, *, random: Random, forgotten: Callable[[], None]) -> None:
        self.options = options
        self._clock = clock
        self._random = random
        self._forgotten = forgotten
        self._session: Session | None = None
        self._down_since = clock.now()
        self._cause = "not connected yet"
        self._failures = 0

    async def run(self, receive: Callable[[Arrival], None]) -> None:
        """Stay connected until cancelled; `receive` takes every PUBLISH that comes in, at once."""
        while True:
            try:
                await self._connection(receive)
            except ConnectError as error:
                self._fell(str(error))
            await self._clock.sleep(self._pause_s())

    def submit(self, wrap: Wrap, settle: Settle) -> None:
        """Publish on the session that is up (see `Session.submit`); `NotSent` at once if there is none."""
        if self._session is None or self._session.cause is not None:
            settle(NotSent(self._why()))
        else:
            self._session.submit(wrap, settle)

    def hand_out(self, parcel: Parcel) -> None:
        """Publish what may be lost (see `Session.hand_out`); dropped while the line is down."""
        if self._session is not None:
            self._session.hand_out(parcel)

    def problem(self) -> str | None:
        """Return why nothing can leave and what to check, or None."""
        if self._session is not None and self._session.cause is None:
            return None
        since = self._down_since.strftime("%Y-%m-%d %H:%M:%SZ")
        return (
            f"not connected to the MQTT broker at {self.options.where} since {since} ({self._why()}); "
            "check that it runs, the network, and the user and password in the mqtt settings"
        )

    def _why(self) -> str:
        return self._cause if self._session is None else str(self._session.cause)

    async def _connection(self, receive: Callable[[Arrival], None]) -> None:
        root = self.options.root
        async with connected(self.options, receive) as session:
            await session.subscribe(self.options.heard)
            _log.info("mqtt_connected", broker=self.options.where, root=root, resumed=session.resumed)
            self._session, self._failures = session, 0
            if not session.resumed:
                self._forgotten()
            try:
                if self.options.worker is not None and not session.resumed:
                    await self._learn_states(session)
                self._fell(await session.ended())
            finally:
                self._session = None

    async def _learn_states(self, session: Session) -> None:
        """Read for a while what the broker retains of every terminal: shares begin with what comes later (MQTT 5.0 §4.8.2)."""
        await session.subscribe((self.options.states,))
        with suppress(TimeoutError):
            async with asyncio.timeout(_STATES_S):
                await session.ended()
        if session.cause is None:
            await session.unsubscribe(self.options.states)

    def _fell(self, cause: str) -> None:
        if self._session is not None or self._failures == 0:
            self._down_since = self._clock.now()
        self._cause = cause
        self._failures += 1
        _log.warning(
            "mqtt_disconnected", broker=self.options.where, root=self.options.root, cause=cause, failures=self._failures
        )

    def _pause_s(self) -> float:
        doubled = self.options.retry_base_s * 2 ** min(self._failures - 1, 16)
        return self._random.uniform(0, min(self.options.retry_cap_s, doubled))
