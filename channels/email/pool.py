"""Keeps some connections to the mail server and shares the mails out among them.

Owns when to connect. A mail waits here only while a connection is up, and no longer than its `start_by`: what waited could otherwise leave
after it was reported as failed.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

import structlog

from channels.email.options import KEEPALIVE_S, ServerOptions
from channels.email.session import Envelope, Session, connected
from channels.email.trouble import ServerTroubleError
from warnd import cancellation
from warnd.channel import NOT_STARTED, Failed, Outcome, Unknown
from warnd.clock import Clock

_LOOK_S = 0.2
_LOST_WITHIN_S = 0.5  # How soon an idle connection that was lost is opened again.
_LOST = "the server ended the connection; see its own log"
_log = structlog.get_logger(__name__)

Packed = tuple[Envelope, bytes] | Failed


@dataclass(slots=True)
class Job:
    """One mail to be sent.

    Attributes:
        pack: Makes the mail for the session that will carry it.
        settle: Takes the outcome; None once it was told, or when nobody waits any more.
    """

    pack: Callable[[Session], Packed]
    settle: Callable[[Outcome], None] | None
    start_by: float

    def end(self, outcome: Outcome) -> None:
        """Tell the outcome, once."""
        if self.settle is not None:
            self.settle(outcome)
            self.settle = None


class Pool:
    """See the module."""

    def __init__(self, options: ServerOptions, clock: Clock, *, random: Random) -> None:
        self._options = options
        self._clock = clock
        self._random = random
        self._jobs: asyncio.Queue[Job] = asyncio.Queue()
        self._sessions: set[Session] = set()
        self._idle: dict[Session, asyncio.Timeout] = {}  # What ends the wait of each that has nothing to carry.
        self._cause = "not connected yet"
        self._down = False
        self._down_since = clock.now()

    def submit(self, job: Job) -> None:
        """Queue a mail; it is settled at once if no connection is up."""
        if self.trouble is None:
            self._jobs.put_nowait(job)
        else:
            job.end(self._not_sent())

    @property
    def trouble(self) -> str | None:
        """Why no connection is up, with what to do, or None."""
        if any(session.alive for session in self._sessions):
            return None
        since = self._down_since.strftime("%Y-%m-%d %H:%M:%SZ")
        return f"no connection to the mail server since {since}: {self._cause}"

    async def run(self) -> None:
        """Keep the connections until cancelled; what is queued then is settled as not sent."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for number in range(self._options.connections):
                    tasks.create_task(self._line(), name=f"email connection {number}")
                tasks.create_task(self._watch(), name="email queue")
        finally:
            self._empty(lambda _job: self._not_sent())

    async def _line(self) -> None:
        failures = 0
        while True:
            try:
                async with connected(self._options) as session:
                    failures = 0
                    await self._serve(session)
                    self._fell(_LOST)
            except ServerTroubleError as error:
                failures += 1
                self._fell(str(error))
            cancellation.heed()
            await self._clock.sleep(self._pause_s(max(1, failures)))

    async def _serve(self, session: Session) -> None:
        """Carry mails until the connection is lost."""
        self._sessions.add(session)
        self._down, self._cause = False, _LOST
        quiet_since = self._clock.monotonic()
        try:
            while session.alive:
                cancellation.heed()
                job = await self._next(session)
                if job is not None:
                    await self._carry(job, session)
                    quiet_since = self._clock.monotonic()
                elif self._clock.monotonic() - quiet_since > KEEPALIVE_S:
                    await session.keep()
                    quiet_since = self._clock.monotonic()
        finally:
            self._sessions.discard(session)

    async def _next(self, session: Session) -> Job | None:
        """Return the next mail, or None after a while, or when the connection is lost."""
        try:
            async with asyncio.timeout(KEEPALIVE_S) as wait:
                self._idle[session] = wait
                return await self._jobs.get()
        except TimeoutError:
            return None
        finally:
            self._idle.pop(session, None)

    async def _carry(self, job: Job, session: Session) -> None:
        if not session.alive:  # Lost while it waited; another connection may be up.
            self.submit(job)
            return
        if job.settle is None:
            return
        if self._clock.monotonic() > job.start_by:
            job.end(NOT_STARTED)
            return
        try:
            packed = job.pack(session)
        except (ValueError, LookupError) as error:  # One text that cannot be written must not end the connections.
            packed = Failed(f"the mail could not be made: {error}", retry="permanent")
        if isinstance(packed, Failed):
            job.end(packed)
            return
        try:
            outcome = await session.mail(*packed)
        except asyncio.CancelledError:
            job.end(Unknown("warnd ended while it was being sent"))
            raise
        if isinstance(outcome, Failed) and outcome.retry != "transient":
            _log.info("email_refused", code=outcome.reason.partition(" ")[0], retry=outcome.retry)
        job.end(outcome)

    async def _watch(self) -> None:
        """Notice connections that are lost while they are idle; settle what waited too long, or what no connection is left for."""
        while True:
            await self._clock.sleep(_LOST_WITHIN_S if self._jobs.empty() else _LOOK_S)
            for session, wait in self._idle.items():
                if not session.alive and not wait.expired():
                    wait.reschedule(0)
            if self._jobs.empty():
                continue
            if self.trouble is not None:
                self._empty(lambda _job: self._not_sent())
            else:
                now = self._clock.monotonic()
                self._empty(partial(_too_late, now))

    def _empty(self, verdict: Callable[[Job], Outcome | None]) -> None:
        """Settle every queued mail that has a verdict; the others keep their order."""
        for _ in range(self._jobs.qsize()):
            job = self._jobs.get_nowait()
            outcome = verdict(job)
            if outcome is None:
                self._jobs.put_nowait(job)
            else:
                job.end(outcome)

    def _not_sent(self) -> Failed:
        return Failed(f"not connected: {self._cause}")

    def _fell(self, cause: str) -> None:
        if self.trouble is not None and (not self._down or cause != self._cause):
            _log.warning("email_disconnected", server=self._options.where, cause=cause)
        if not self._down:
            self._down_since = self._clock.now()
        self._down, self._cause = True, cause

    def _pause_s(self, failures: int) -> float:
        doubled = self._options.retry_base_s * 2 ** min(failures - 1, 16)
        return self._random.uniform(0, min(self._options.retry_cap_s, doubled))


def _too_late(now: float, job: Job) -> Outcome | None:
    return NOT_STARTED if now > job.start_by else None
