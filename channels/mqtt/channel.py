"""The channel itself: two accounts at brokers, one for what is real and one for drills, which share nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial

import structlog
from starlette.routing import BaseRoute

from channels.mqtt.fate import Answered, Fate, Lost, NotSent, Parcel, TooLarge, fate_of
from channels.mqtt.inbox import Inbox
from channels.mqtt.line import Line
from channels.mqtt.options import LineOptions, MqttOptions
from channels.mqtt.parcels import Post
from channels.mqtt.probe import probe
from channels.mqtt.puback import outcome_of
from channels.mqtt.replies import Replies
from channels.mqtt.session import Arrival, ConnectError, connected
from warnd.channel import NOT_STARTED, Context, Failed, Finding, Outcome, Outgoing, ReceiptSink, Unknown
from warnd.model.evidence import Evidence

NAME = "mqtt"
_BEAT_LIFE_S = 60
_BEAT_WITHIN_S = 20.0
_QUIET_S = 2.0

_log = structlog.get_logger(__name__)


class Mqtt:
    """Village loudspeakers by MQTT 5. See `warnd.channel.Channel`."""

    name = NAME
    strongest = Evidence.PRESENTED

    def __init__(self, options: MqttOptions, context: Context) -> None:
        self._live = _Account(options.live, context, drill=False)
        self._drill = None if options.drill is None else _Account(options.drill, context, drill=True)

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        """Publish; a try waits only for the window, never for a connection that is down."""
        settled: asyncio.Queue[tuple[int, Outcome]] = asyncio.Queue()
        for index, outgoing in enumerate(batch):
            _Try(outgoing, index, settled).start(self._drill if outgoing.message.drill else self._live)
        for _ in batch:
            yield await settled.get()

    async def run(self, sink: ReceiptSink) -> None:
        """Hold the connections; bring receipts and presence in."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._live.run(sink), name="mqtt live")
            if self._drill is not None:
                group.create_task(self._drill.run(sink), name="mqtt drill")

    async def take_over(self, worker: str) -> None:
        """Take what the broker keeps for a worker that is gone, and let it keep nothing more for it."""
        async with asyncio.TaskGroup() as group:
            for account in (self._live, self._drill):
                if account is not None and account.line.options.worker not in {None, worker}:
                    group.create_task(account.take_over(worker), name=f"mqtt of {worker}")

    def routes(self) -> Sequence[BaseRoute]:
        """Nobody calls us back over HTTP."""
        return ()

    def problem(self) -> str | None:
        """Say why no real warning can leave; drills are told by their own outcomes."""
        return self._live.line.problem()

    async def beat(self, topic: str, payload: bytes) -> str | None:
        """Publish a sign of life at the broker of real warnings."""
        parcel = Parcel(topic, payload, retain=False, expiry_s=_BEAT_LIFE_S)
        try:
            async with asyncio.timeout(_BEAT_WITHIN_S):
                return _why_not(await fate_of(self._live.line.submit, lambda: parcel))
        except TimeoutError:
            return "the broker does not answer"

    async def probe(self) -> Sequence[Finding]:
        """Try both brokers, beside whatever is running."""
        accounts = [account for account in (self._live, self._drill) if account is not None]
        return [await account.probe() for account in accounts]


def _why_not(fate: Fate) -> str | None:
    match fate:
        case Answered(code):
            found = outcome_of(code)
            return found.reason if isinstance(found, Failed) else None
        case NotSent(cause) | Lost(cause):
            return cause
        case TooLarge(limit_bytes):
            return f"the broker takes {limit_bytes} bytes"


class _Account:
    """What belongs to one root: its connection, its key, its inbox."""

    def __init__(self, options: LineOptions, context: Context, *, drill: bool) -> None:
        self._context = context
        self.line = Line(
            options, context.clock, random=context.random, forgotten=partial(context.forgotten, NAME, drill)
        )
        self.post = Post(options, context.clock.now, context.random)
        self.monotonic = context.clock.monotonic
        self._inbox: Inbox | None = None

    async def probe(self) -> Finding:
        name = f"warnd-probe-{self._context.random.getrandbits(48):012x}"
        return await probe(self.line.options, name=name)

    async def take_over(self, worker: str) -> None:
        """Be the other worker at the broker until nothing more comes; its session ends with this connection."""
        if self._inbox is None:
            return
        came = 0

        def take(arrival: Arrival) -> None:
            nonlocal came
            came += 1
            if (
                self._inbox is inbox
            ):  # Else this worker is ending, and leaves the rest unconfirmed to whoever comes next.
                inbox.take(arrival)

        inbox, options = self._inbox, replace(self.line.options, worker=worker, session_expiry_s=0)
        try:
            async with connected(options, take) as session:
                known = -1
                while came != known and session.cause is None:
                    known = came
                    await self._context.clock.sleep(_QUIET_S)
                _log.info("mqtt_session_taken_over", worker=worker, found=session.resumed, receipts=came)
        except ConnectError as error:  # It ends by itself, and terminals send again what was not confirmed.
            _log.warning("mqtt_session_not_taken_over", worker=worker, cause=str(error))

    async def run(self, sink: ReceiptSink) -> None:
        context = self._context
        async with asyncio.TaskGroup() as work:
            self._inbox = inbox = Inbox(
                self.line.options,
                context.clock,
                random=context.random,
                terminal_key=context.terminal_key,
                older_keys=context.older_keys,
                replies=Replies(self.line, self.post, context.clock),
                sink=sink,
                work=work,
            )
            try:
                await self.line.run(inbox.take)
            finally:
                self._inbox = None  # Its tasks end with `work`.


class _Try:
    """One try on its way; puts exactly one outcome into `settled`."""

    def __init__(self, outgoing: Outgoing, index: int, settled: asyncio.Queue[tuple[int, Outcome]]) -> None:
        self._outgoing = outgoing
        self._index = index
        self._settled = settled

    def start(self, account: _Account | None) -> None:
        if account is None:
            self._settle(Failed("no drill connection configured: add [mqtt.drill] to the settings", "permanent"))
        else:
            account.line.submit(partial(self._wrap, account), self._answer)

    def _wrap(self, account: _Account) -> Parcel | None:
        if account.monotonic() > self._outgoing.start_by:
            self._settle(NOT_STARTED)
            return None
        parcel = account.post.parcel(self._outgoing)
        if isinstance(parcel, Failed):
            self._settle(parcel)
            return None
        return parcel

    def _answer(self, fate: Fate) -> None:
        match fate:
            case Answered(code):
                self._settle(outcome_of(code))
            case NotSent(cause):
                self._settle(Failed(f"broker unreachable: {cause}"))
            case Lost(cause):
                self._settle(Unknown(f"no answer from the broker: {cause}"))
            case TooLarge(limit_bytes):
                cause = f"command too large: the broker takes {limit_bytes} bytes; shorten the texts or raise its packet size"
                self._settle(Failed(cause, "permanent"))

    def _settle(self, outcome: Outcome) -> None:
        self._settled.put_nowait((self._index, outcome))
