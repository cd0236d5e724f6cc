"""What loudspeakers say: verified, committed, and only then acknowledged to the broker.

One queue per terminal keeps its states in order; all terminals go on at once, so that the ledger can commit them in groups, and so do the
receipts of one, which is told the sooner what is committed. What can never be taken is acknowledged, counted and logged, or the broker
would bring it for ever.
"""

import asyncio
import itertools
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from random import Random

import structlog

from channels.mqtt.keyring import Keyring
from channels.mqtt.options import LineOptions
from channels.mqtt.repeats import Repeats
from channels.mqtt.replies import Replies
from channels.mqtt.session import Arrival
from warnd.channel import Playback, Presence, ReceiptSink
from warnd.clock import Clock
from warnd.model.loudspeaker import (
    DRILL_ROOT,
    ClockState,
    Receipt,
    Refused,
    TerminalState,
    Topic,
    Why,
    parse_state,
    parse_topic,
    verify_receipt,
)
from warnd.model.loudspeaker.fields import DOCUMENT_MAX_BYTES

_log = structlog.get_logger(__name__)

_REFUSED_KEPT = 10_000  # Terminals whose refusals are counted at once; more than that is an attack, and memory ends.
_TRIES_IN_LINE = 3  # After so many failures of the ledger others are acknowledged past this receipt.
_TOGETHER_MAX = (
    100  # Of one terminal at once, so that one that talks without end leaves room in each commit for the others.
)
_UNASKED_MAX = (
    100  # QoS 0 has no window: who sends without end must not fill the memory. A state that is lost comes again.
)


class Inbox:
    """Takes every PUBLISH of one line.

    Args:
        terminal_key: Terminal id -> raw public key, None = unknown.
        older_keys: Terminal id -> keys that were rotated away and are still believed.
        sink: Where what is verified goes.
        work: Owns the tasks; it must outlive the line.
    """

    def __init__(
        self,
        options: LineOptions,
        clock: Clock,
        *,
        random: Random,
        terminal_key: Callable[[str], Awaitable[bytes | None]],
        older_keys: Callable[[str], Awaitable[Sequence[bytes]]],
        replies: Replies,
        sink: ReceiptSink,
        work: asyncio.TaskGroup,
    ) -> None:
        self._options = options
        self._clock = clock
        self._random = random
        self._keys = Keyring(terminal_key, older_keys, clock)
        self._repeats = Repeats()
        self._replies = replies
        self._sink = sink
        self._work = work
        self._waiting: dict[str, deque[tuple[Topic, Arrival]]] = {}
        self._refused: Counter[tuple[str, str]] = Counter()

    def take(self, arrival: Arrival) -> None:
        """Queue what came in behind what the same terminal said before; return at once."""
        topic = parse_topic(arrival.topic)
        if topic is None or topic.root != self._options.root or topic.kind not in {"receipt", "state"}:
            self._refuse(arrival.topic[:120], "topic", "nothing comes in there")
            arrival.session.confirm(arrival)
        elif len(arrival.payload) > DOCUMENT_MAX_BYTES:  # Not kept until its turn comes.
            self._refuse(topic.name, "malformed", f"{len(arrival.payload)} bytes, more than {DOCUMENT_MAX_BYTES}")
            arrival.session.confirm(arrival)
        elif not arrival.packet_id and len(self._waiting.get(topic.name, ())) >= _UNASKED_MAX:
            self._refuse(topic.name, "flood", f"more than {_UNASKED_MAX} wait; send receipts with QoS 1")
        elif topic.name in self._waiting:
            self._waiting[topic.name].append((topic, arrival))
        else:
            self._waiting[topic.name] = deque([(topic, arrival)])
            self._work.create_task(self._serve(topic.name), name=f"mqtt receipts of {topic.name}")

    async def _serve(self, terminal: str) -> None:
        queue = self._waiting[terminal]
        while queue:
            together = _in_a_row(queue)
            committed: dict[str, int] = {}  # Boot -> highest n; told once for all that came in together.
            async with asyncio.TaskGroup() as receipts:
                for topic, arrival in together:
                    receipts.create_task(self._bring_in(topic, arrival, committed=committed))
            for _ in together:
                queue.popleft()
            self._tell(terminal, committed)
        del self._waiting[terminal]

    def _tell(self, terminal: str, committed: dict[str, int]) -> None:
        for boot_id, n in committed.items():
            self._replies.committed(terminal, boot_id=boot_id, n=n)
        committed.clear()

    async def _bring_in(self, topic: Topic, arrival: Arrival, *, committed: dict[str, int]) -> None:
        for tries in itertools.count(1):
            if arrival.session.cause is not None:
                return  # Unacknowledged, so the broker brings it again; a state stands there retained.
            try:
                async with asyncio.timeout(self._options.sink_timeout_s):
                    await self._commit(topic, arrival, committed=committed)
            except Exception as error:  # noqa: BLE001 - the ledger may fail in any way, and no receipt is lost for it
                _log.warning("receipt_not_committed", terminal=topic.name, tries=tries, error=repr(error))
                self._tell(topic.name, committed)
                if tries == _TRIES_IN_LINE:
                    arrival.session.set_aside(arrival)
                await self._clock.sleep(self._pause_s(tries))
            else:
                arrival.session.confirm(arrival)
                return

    def _pause_s(self, tries: int) -> float:
        doubled = self._options.retry_base_s * 2 ** min(tries - 1, 16)
        return self._random.uniform(0, min(self._options.retry_cap_s, doubled))

    async def _commit(self, topic: Topic, arrival: Arrival, *, committed: dict[str, int]) -> None:
        try:
            if topic.kind == "state":
                await self._state(topic, arrival)
            else:
                await self._receipt(topic, arrival, committed=committed)
        except Refused as refused:
            self._refuse(topic.name, refused.reason or "malformed", refused.cause)

    async def _receipt(self, topic: Topic, arrival: Arrival, *, committed: dict[str, int]) -> None:
        boot_id, n = self._repeats.find(arrival.topic, arrival.payload) or await self._first(topic, arrival)
        if n:
            committed[boot_id] = max(n, committed.get(boot_id, 0))

    async def _first(self, topic: Topic, arrival: Arrival) -> tuple[str, int]:
        """Verify and commit one receipt; return its boot, and how far that is committed without a gap."""
        public_key = await self._keys.find(topic.name)
        if public_key is None:
            raise Refused(Why.UNKNOWN_KEY, "no terminal with this id is registered; import it with its public_key")
        receipt = await self._verified(topic.name, arrival, public_key)
        n = await self._sink(_playback(receipt, arrival.payload.decode("ascii"))) or 0
        self._repeats.add(arrival.topic, arrival.payload, boot_id=receipt.boot_id, n=n)
        return receipt.boot_id, n

    async def _verified(self, terminal: str, arrival: Arrival, public_key: bytes) -> Receipt:
        try:
            return verify_receipt(arrival.payload, arrival.topic, public_key)
        except Refused as refused:
            if refused.reason is not Why.BAD_SIGNATURE:
                raise
            for key in await self._keys.older(terminal):
                with suppress(Refused):
                    return verify_receipt(arrival.payload, arrival.topic, key)
            raise

    async def _state(self, topic: Topic, arrival: Arrival) -> None:
        if not arrival.payload:
            return  # Somebody cleared the retained state of a terminal that is gone for good.
        state = parse_state(arrival.payload, arrival.topic)
        await self._sink(_presence(topic, state, arrival.payload.decode("utf-8")))
        clockless = state.online and state.clock is ClockState.UNSYNCED and state.boot_id is not None
        if clockless and await self._keys.find(topic.name) is not None:
            self._replies.clockless(topic.name, boot_id=str(state.boot_id))

    def _refuse(self, terminal: str, reason: str, cause: str) -> None:
        if len(self._refused) >= _REFUSED_KEPT:
            self._refused.clear()
        self._refused[terminal, reason] += 1
        count = self._refused[terminal, reason]
        if count.bit_count() == 1:  # At 1, 2, 4, 8 …: a terminal gone mad must not fill the disk with its log.
            _log.warning(
                "receipt_refused", terminal=terminal, reason=reason, cause=cause, root=self._options.root, count=count
            )


def _in_a_row(queue: deque[tuple[Topic, Arrival]]) -> list[tuple[Topic, Arrival]]:
    """Return what may be committed together from the queue's head: receipts, whose order proves nothing, or one state, whose does."""
    receipts = list(itertools.islice(itertools.takewhile(lambda one: one[0].kind == "receipt", queue), _TOGETHER_MAX))
    return receipts or [queue[0]]


def _playback(receipt: Receipt, raw: str) -> Playback:
    return Playback(
        channel="mqtt",
        drill=receipt.root == DRILL_ROOT,
        terminal=receipt.terminal,
        boot_id=receipt.boot_id,
        n=receipt.n,
        message_id=receipt.message_id,
        seq=receipt.seq,
        stage=receipt.stage.value,
        pass_done=receipt.pass_done,
        played_ms=receipt.played_ms,
        amplifier=receipt.amplifier.value,
        reason=None if receipt.reason is None else receipt.reason.value,
        at=receipt.at,
        raw=raw,
    )


def _presence(topic: Topic, state: TerminalState, raw: str) -> Presence:
    return Presence(
        channel="mqtt",
        drill=topic.root == DRILL_ROOT,
        terminal=state.terminal,
        online=state.online,
        boot_id=state.boot_id,
        heartbeat_s=state.heartbeat_s,
        clock=None if state.clock is None else state.clock.value,
        amplifier=state.amplifier.value,
        volume=state.volume,
        at=state.at,
        raw=raw,
    )
