"""Keeps the account bound: a new session after every break, the wait between them random. Owns when to connect, and why we are not."""

import ssl
from random import Random

import structlog

from channels.sms.smpp.session import BindError, Deliver, Session, connected
from warnd.clock import Clock
from warnd.settings.sections.sms_smpp import SmsSmpp

_RETRY_BASE_S, _RETRY_CAP_S = 1.0, 30.0

_log = structlog.get_logger(__name__)


class Line:
    """The standing connection to one message centre."""

    def __init__(self, section: SmsSmpp, *, tls: ssl.SSLContext | None, clock: Clock, random: Random) -> None:
        self._section = section
        self._tls = tls
        self._clock = clock
        self._random = random
        self._session: Session | None = None
        self._cause = "not started yet"
        self._failures = 0

    @property
    def session(self) -> Session | None:
        """The session that stands, or None."""
        return self._session if self._session is not None and self._session.cause is None else None

    @property
    def cause(self) -> str:
        """Why there is none."""
        return self._cause if self._session is None else self._session.cause or ""

    async def run(self, deliver: Deliver) -> None:
        """Stay bound until cancelled."""
        while True:
            try:
                cause = await self._bound(deliver)
            except BindError as error:
                cause = str(error)
            self._cause = cause
            self._failures += 1
            where = f"{self._section.host}:{self._section.port}"
            _log.warning("smpp_not_bound", message_centre=where, cause=cause, failures=self._failures)
            await self._clock.sleep(self._pause_s())

    async def _bound(self, deliver: Deliver) -> str:
        session = await connected(self._section, tls=self._tls, clock=self._clock)
        try:
            await session.bind()
            self._session, self._failures = session, 0
            _log.info("smpp_bound", message_centre=f"{self._section.host}:{self._section.port}")
            return await session.run(deliver)
        finally:
            self._session = None
            session.end("closed")

    def _pause_s(self) -> float:
        doubled = _RETRY_BASE_S * 2 ** min(self._failures - 1, 16)
        return self._random.uniform(0, min(_RETRY_CAP_S, doubled))
