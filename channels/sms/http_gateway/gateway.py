"""The gateway described in `[sms.http]`: groups tries into calls, makes them, brings reports and replies.

Owns when a call is made and what its end means. It never repeats a call that may have been heard.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from urllib.parse import urlsplit

import structlog
from starlette.routing import BaseRoute

from channels.reach import look
from channels.sms.crew import Crew, Job, Tell
from channels.sms.gateway import NAME
from channels.sms.http_gateway.bundle import Try, bundles
from channels.sms.http_gateway.compose import Composer, UnwritableError
from channels.sms.http_gateway.poll import Poller
from channels.sms.http_gateway.pushes import Pushes
from channels.sms.http_gateway.verdict import Reader, Verdict, judge, reference
from channels.sms.http_gateway.wire import DoubtError, NotSentError, Wire, tls
from channels.sms.numbers import is_number
from warnd.channel import NOT_STARTED, Accepted, Failed, Finding, Outcome, Outgoing, ReceiptSink, Unknown
from warnd.clock import Clock
from warnd.model.evidence import Evidence
from warnd.settings.sections.sms_http import HttpProbe, SmsHttp

_SUCCESSES = range(200, 300)

_log = structlog.get_logger(__name__)


class HttpGateway:
    """See `channels.sms.gateway.Gateway`."""

    name = NAME
    strongest = Evidence.ACKNOWLEDGED

    def __init__(self, section: SmsHttp, *, clock: Clock, random: Random) -> None:
        self._section = section
        self._clock = clock
        self._random = random
        self._composer = Composer(section, clock=clock, random=random)
        self._tls = tls(str(section.ca_file) if section.ca_file else None)
        self._crew = Crew()
        self._calls = asyncio.Semaphore(section.calls)
        self._pushes = Pushes(section)
        self._wire: Wire | None = None
        self._pollers: list[Poller] = []
        self._trouble: str | None = "not started yet"
        address = urlsplit(section.url)
        self._secure = address.scheme == "https"
        self._host = address.hostname or ""
        self._port = address.port or (443 if self._secure else 80)

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        """Send a batch in as few calls as the settings allow; see `warnd.channel.Channel`."""
        ready: list[Try] = []
        for index, outgoing in enumerate(batch):
            if is_number(outgoing.address):
                ready.append((index, outgoing))
            else:
                yield index, Failed("this is no phone number", retry="permanent")
        jobs = [self._job(call) for call in bundles(ready, self._section)]
        async for index, outcome in self._crew.outcomes(jobs):
            yield index, outcome

    async def find(self, attempt: str) -> Outcome:
        """Ask the gateway about an attempt, if the settings say how; see `warnd.channel.Finder`."""
        asked = self._section.look_up
        if asked is None:
            return Unknown("this gateway cannot be asked; describe sms.http.look_up if it can")
        try:
            async with self._connected() as wire:
                answer = await wire.ask(self._composer.look_up(asked, attempt))
        except (NotSentError, DoubtError) as error:
            return Unknown(str(error))
        if answer.status in asked.absent:
            return Failed("the gateway never got it")
        if answer.status not in _SUCCESSES:
            return Unknown(f"HTTP {answer.status}")
        reader = Reader(answer, self._section.answer, encoding=self._section.encoding)
        return Accepted(reference(reader.at(self._section.answer.reference)))

    async def probe(self) -> Sequence[Finding]:
        """Connect, and ask the question of `sms.http.probe` if there is one; see `warnd.channel.Prober`."""
        about = f"gateway {self._host}:{self._port}"
        if trouble := await self._look():
            return [
                Finding(about, f"It cannot be reached ({trouble}). Check sms.http.url, the network, and that it runs.")
            ]
        found = [Finding(about, told="it can be reached")]
        if self._section.probe is not None:
            found.append(await self._questioned(self._section.probe))
        return found

    async def run(self, sink: ReceiptSink) -> None:
        """Hold connections, fetch what is fetched, take what is pushed, watch whether the gateway is there; until cancelled."""
        wire = self._new_wire()
        try:
            async with self._crew.at_work() as tasks:
                self._wire, self._pushes.sink = wire, sink
                self._pollers = []
                for feed in (self._section.reports, self._section.replies):
                    if feed is not None and feed.poll is not None:
                        poller = Poller(
                            feed,
                            feed.poll,
                            section=self._section,
                            composer=self._composer,
                            clock=self._clock,
                            random=self._random,
                        )
                        self._pollers.append(poller)
                        tasks.create_task(poller.run(wire, sink), name="sms http poll")
                await self._watch()
        finally:
            self._wire = self._pushes.sink = None
            self._trouble = "it has stopped"
            await wire.close()

    def routes(self) -> Sequence[BaseRoute]:
        """Return where the gateway pushes to."""
        return self._pushes.routes()

    def degraded(self) -> str | None:
        """Return why nothing comes back although texts leave."""
        troubles = [poller.trouble for poller in self._pollers if poller.trouble]
        if not troubles or self.problem() is not None:
            return None
        fix = "Who answered is not known until they are. Check the polls in [sms.http], and the key."
        return f"Texts leave by {self._host}, but {' and '.join(troubles)}. {fix}"

    def problem(self) -> str | None:
        """Return why no call can be made now; see `warnd.channel.Channel`."""
        if self._trouble is None:
            return None
        return (
            f"No SMS can leave: the gateway at {self._host}:{self._port} cannot be reached ({self._trouble}). "
            "Check sms.http.url, the network, and that it runs."
        )

    def _job(self, call: Sequence[Try]) -> Job:
        async def work(tell: Tell) -> None:
            await self._call(call, tell)

        return Job(tuple(index for index, _ in call), work)

    async def _call(self, call: Sequence[Try], tell: Tell) -> None:
        """Make one call when there is a place for it, and answer each of its tries."""
        async with self._calls:
            now = self._clock.monotonic()
            started = [(index, outgoing) for index, outgoing in call if outgoing.start_by >= now]
            for index, outgoing in call:
                if outgoing.start_by < now:
                    tell(index, NOT_STARTED)
            verdict = await self._verdict([outgoing for _, outgoing in started]) if started else Verdict([])
        if verdict.refused_whole and len(started) > 1:
            # One bad number made it refuse the whole call, and nothing of it was taken: the halves tell which.
            half = len(started) // 2
            await self._call(started[:half], tell)
            await self._call(started[half:], tell)
            return
        for (index, _), outcome in zip(started, verdict.outcomes, strict=True):
            tell(index, outcome)

    async def _verdict(self, tries: Sequence[Outgoing]) -> Verdict:
        outcome: Outcome
        wire = self._wire
        if wire is None:
            return Verdict([Failed("not_started: the gateway is not running")] * len(tries))
        try:
            answer = await wire.ask(self._composer.call(tries))
        except UnwritableError as error:
            outcome = Failed(f"not_started: {error}")
        except NotSentError as error:
            self._trouble = str(error)
            outcome = Failed(f"not reached: {error}")
        except DoubtError as error:
            outcome = Unknown(str(error))
        else:
            return judge(answer, [one.address for one in tries], self._section)
        return Verdict([outcome] * len(tries))

    async def _watch(self) -> None:
        """Learn that the gateway is gone, or back, without a text."""
        while True:
            trouble = await self._look()
            if trouble != self._trouble:
                _log.warning("sms_gateway_unreachable", cause=trouble) if trouble else _log.info(
                    "sms_gateway_reachable"
                )
            self._trouble = trouble
            await self._clock.sleep(self._section.watch_s)

    async def _look(self) -> str | None:
        """Connect and leave; return why it cannot be done, or None."""
        context = self._tls if self._secure else None
        return await look(self._host, self._port, tls=context, timeout_s=self._section.timeout_s)

    async def _questioned(self, asked: HttpProbe) -> Finding:
        host = urlsplit(asked.url).hostname
        about = f"probe of {host}"
        try:
            async with self._connected() as wire:
                answer = await wire.ask(self._composer.question(asked))
        except (NotSentError, DoubtError) as error:
            return Finding(about, f"It did not answer ({error}). Check sms.http.probe.url and the network.")
        reader = Reader(answer, asked.answer, encoding=self._section.encoding)
        code, said = reader.at(asked.answer.code), reader.at(asked.answer.reason) or ""
        if answer.status in asked.answer.statuses and (asked.answer.code is None or code in asked.answer.success):
            return Finding(about, told=f"it answers {code or f'HTTP {answer.status}'} {said}".strip())
        told = f"HTTP {answer.status}, code {code}, {said}".strip(", ")
        return Finding(
            about, f"It refused the question ({told}). Check the account, its key files, and what it may do."
        )

    def _new_wire(self) -> Wire:
        return Wire(timeout_s=self._section.timeout_s, context=self._tls, now=self._clock.now)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Wire]:
        """Lend the wire of `run`, or one of its own where nothing runs."""
        if self._wire is not None:
            yield self._wire
            return
        wire = self._new_wire()
        try:
            yield wire
        finally:
            await wire.close()
