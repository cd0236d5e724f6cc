"""Two gateways: the second takes what the first certainly did not, and nothing else."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import BaseRoute

from channels.sms.breaker import FAILURES, Breaker
from channels.sms.chooser import Chooser
from tests.fakes.manual_clock import ManualClock, settle
from tests.fakes.twilio_stage import Ledger, Stage, on_stage
from tests.waiting import until
from warnd.channel import (
    NOT_STARTED,
    Accepted,
    Context,
    Failed,
    Finding,
    Outcome,
    Outgoing,
    ReceiptSink,
    Report,
    Unknown,
)
from warnd.model.evidence import Evidence

DOWN = Failed("connection refused")
BUSY = Failed("20429 too many requests", "throttled", 20)
NO_SUCH = Failed("21211 invalid number", "permanent")
TAKEN = Accepted("taken")
LOST = Unknown("no answer in time")
OUTCOMES = (Accepted("x"), DOWN, BUSY, NO_SUCH, LOST, NOT_STARTED)


@dataclass
class Scripted:
    """A gateway that answers as it is told, at once, or hangs."""

    script: deque[Outcome | None] = field(default_factory=deque)
    always: Outcome | None = TAKEN
    trouble: str | None = None
    tried: list[str] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    found: Outcome = LOST
    name = "sms"
    strongest = Evidence.ACKNOWLEDGED
    sink: ReceiptSink | None = None

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        self.batches.append(len(batch))
        self.tried += [one.attempt for one in batch]
        for index, _ in enumerate(batch):
            outcome = self.script.popleft() if self.script else self.always
            if outcome is None:
                await asyncio.Event().wait()
            else:
                yield index, outcome

    async def find(self, attempt: str) -> Outcome:
        assert attempt
        return self.found

    async def probe(self) -> Sequence[Finding]:
        return [Finding(str(self.trouble))]

    async def run(self, sink: ReceiptSink) -> None:
        self.sink = sink
        await asyncio.Event().wait()

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    def problem(self) -> str | None:
        return self.trouble


@dataclass
class Pair:
    """A chooser between two scripted gateways."""

    first: Scripted
    second: Scripted
    clock: ManualClock
    chooser: Chooser
    likeness: Stage

    def outgoing(self, attempt: str, *, start_in_s: float = 1.5) -> Outgoing:
        return replace(self.likeness.outgoing(attempt), start_by=self.clock.monotonic() + start_in_s)

    async def send(self, *attempts: str) -> list[Outcome]:
        batch = [self.outgoing(attempt) for attempt in attempts]
        found = {index: outcome async for index, outcome in self.chooser.send(batch)}
        assert len(found) == len(batch)
        return [found[index] for index in range(len(batch))]

    async def send_one(self, attempt: str = "a-1") -> Outcome:
        (outcome,) = await self.send(attempt)
        return outcome


@asynccontextmanager
async def pair() -> AsyncIterator[Pair]:
    clock = ManualClock()

    async def nobody(_terminal: str) -> bytes | None:
        return None

    context = Context(clock, random.Random(1), nobody, announce=lambda _message: None)
    first, second = Scripted(), Scripted()
    chooser = Chooser((("twilio", first), ("smpp", second)), context)
    async with on_stage(start=False) as likeness, asyncio.TaskGroup() as group:
        task = group.create_task(chooser.run(Ledger()))
        await settle()
        yield Pair(first, second, clock, chooser, likeness)
        task.cancel()


async def test_while_the_first_works_the_second_rests() -> None:
    async with pair() as both:
        assert await both.send("a", "b") == [Accepted("taken")] * 2
        assert both.second.tried == []


@pytest.mark.parametrize("refusal", [DOWN, BUSY, Failed("no funds", retry="transient")])
async def test_what_the_first_certainly_did_not_take_goes_to_the_second_in_the_same_try(refusal: Failed) -> None:
    async with pair() as both:
        both.first.script.append(refusal)
        assert await both.send_one() == Accepted("taken")
        assert (both.first.tried, both.second.tried) == (["a-1"], ["a-1"])


async def test_what_may_have_left_never_goes_to_the_second() -> None:
    async with pair() as both:
        both.first.script.append(LOST)
        assert await both.send_one() == LOST
        assert both.second.tried == []


async def test_a_number_that_cannot_be_reached_is_not_tried_twice() -> None:
    async with pair() as both:
        both.first.script.append(NO_SUCH)
        assert await both.send_one() == NO_SUCH
        assert both.second.tried == []


async def test_a_try_that_could_not_start_is_simply_due_again() -> None:
    async with pair() as both:
        both.first.script.append(NOT_STARTED)
        assert await both.send_one() == NOT_STARTED
        assert both.second.tried == []


async def test_no_second_call_begins_after_the_try_must_have_started() -> None:
    async with pair() as both:
        both.first.script.append(DOWN)
        late = both.outgoing("a", start_in_s=-1)
        assert [outcome async for _, outcome in both.chooser.send([late])] == [DOWN]
        assert both.second.tried == []


async def test_where_both_refuse_both_reasons_are_told() -> None:
    async with pair() as both:
        both.first.script.append(DOWN)
        both.second.script.append(Failed("no funds"))
        assert await both.send_one() == Failed("connection refused; then no funds")


async def test_the_seconds_doubt_and_its_verdict_on_the_number_count() -> None:
    async with pair() as both:
        both.first.always = DOWN
        both.second.script.extend([LOST, NO_SUCH])
        assert await both.send("a", "b") == [LOST, NO_SUCH]


async def test_one_hanging_try_does_not_keep_the_others_from_the_second() -> None:
    async with pair() as both:
        both.first.script.extend([DOWN, DOWN, None])
        arriving = both.chooser.send([both.outgoing(name) for name in ("a", "b", "c")])
        assert {(await anext(arriving))[0], (await anext(arriving))[0]} == {0, 1}
        assert both.second.batches in ([2], [1, 1])


async def test_a_gateway_with_a_problem_is_passed_by() -> None:
    async with pair() as both:
        both.first.trouble = "It cannot be reached. Check the network."
        assert await both.send("a", "b", "c") == [Accepted("taken")] * 3
        assert both.first.tried == []
        assert both.second.batches == [3], "what belongs together goes in one call"
        assert both.chooser.problem() is None


async def test_after_failures_in_a_row_the_first_rests_and_single_tries_show_whether_it_is_back() -> None:
    async with pair() as both:
        both.first.always = DOWN
        for number in range(FAILURES):
            await both.send_one(f"a-{number}")
        both.first.tried.clear()
        await both.send_one("resting")
        assert both.first.tried == []
        await both.clock.advance(5)
        await both.send("b", "c", "d")
        assert both.first.tried == ["b"]
        await both.clock.advance(5)
        await both.send_one("still resting: twice as long")
        assert both.first.tried == ["b"]
        await both.clock.advance(5)
        both.first.always = Accepted("back")
        await both.send("e", "f")
        assert both.first.tried == ["b", "e"]
        await both.send("g", "h")
        assert both.first.tried == ["b", "e", "g", "h"]


async def test_a_first_that_keeps_silent_rests_too_though_no_try_is_sent_twice() -> None:
    async with pair() as both:
        both.first.always = LOST
        for number in range(FAILURES):
            assert await both.send_one(f"a-{number}") == LOST
        assert await both.send_one("next") == Accepted("taken")
        assert both.second.tried == ["next"]


async def test_a_throttled_first_rests_for_as_long_as_it_asked() -> None:
    async with pair() as both:
        both.first.script.append(BUSY)
        await both.send_one("a")
        await both.clock.advance(19)
        await both.send_one("b")
        assert both.first.tried == ["a"]
        await both.clock.advance(1)
        await both.send("c", "d")
        assert both.first.tried == ["a", "c", "d"]


async def test_what_was_under_way_before_does_not_cut_the_asked_rest_short() -> None:
    async with pair() as both:
        both.first.script.extend([BUSY, TAKEN, NO_SUCH])
        await both.send("a", "b", "c")
        await both.clock.advance(19)
        await both.send_one("d")
        assert both.first.tried == ["a", "b", "c"]


async def test_bad_numbers_are_no_failures_of_the_gateway() -> None:
    async with pair() as both:
        both.first.always = NO_SUCH
        for number in range(3 * FAILURES):
            assert await both.send_one(f"a-{number}") == NO_SUCH


async def test_only_when_neither_can_send_there_is_a_problem_and_it_names_both() -> None:
    async with pair() as both:
        both.first.trouble = "It refuses the account. Correct the token."
        both.second.always = DOWN
        for number in range(FAILURES):
            await both.send_one(f"a-{number}")
        problem = both.chooser.problem()
        assert problem is not None
        assert problem.startswith(
            "No SMS can leave by either gateway. twilio: It refuses the account. Correct the token."
        )
        assert problem.endswith("smpp: it rests for 5 s after: connection refused.")
        outcome = await both.send_one("b")
        assert isinstance(outcome, Failed)
        assert (outcome.retry, outcome.retry_after_s) == ("throttled", 1.0)
        await both.clock.advance(5)
        assert both.chooser.problem() is None, "a single try may show that it is back"


async def test_while_one_carries_all_texts_the_trouble_of_the_other_is_told() -> None:
    async with pair() as both:
        assert both.chooser.degraded() is None
        both.second.trouble = "It cannot be reached. Check the network."
        assert both.chooser.degraded() == (
            "Texts leave by twilio alone; if that fails, none does. smpp: It cannot be reached. Check the network."
        )
        both.second.trouble = None
        both.first.always = DOWN
        for number in range(FAILURES):
            await both.send_one(f"a-{number}")
        told = both.chooser.degraded()
        assert told is not None
        assert told.endswith("twilio: It is tried now and then after: connection refused.")
        await both.clock.advance(5)
        assert both.chooser.degraded() == told, "the same words until a try shows that it is back"
        both.first.always = TAKEN
        await both.send_one("back")
        assert both.chooser.degraded() is None
        both.first.trouble = both.second.trouble = "It cannot be reached."
        assert both.chooser.degraded() is None, "that is a problem"


async def test_a_degraded_pair_is_told_in_the_log_when_it_happens_and_when_it_is_over(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with pair() as both:
        both.first.script.append(BUSY)
        await both.send_one("a")
        both.first.trouble = "It cannot be reached."
        await both.clock.advance(30)
        both.first.trouble = None
        await both.clock.advance(1)
        await both.send_one("b")
    told = capsys.readouterr().out
    assert told.count("sms_gateway_rests") == 1
    assert told.count("sms_gateway_problem") == 1
    assert told.count("sms_gateway_usable") == 1
    assert told.count("sms_gateway_back") == 1


async def test_a_fate_is_asked_of_the_gateway_that_had_the_try_last() -> None:
    async with pair() as both:
        both.first.found, both.second.found = Accepted("first"), Accepted("second")
        await both.send_one("a")
        assert await both.chooser.find("a") == Accepted("first")
        both.first.script.append(DOWN)
        await both.send_one("b")
        assert await both.chooser.find("b") == Accepted("second")


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (Unknown("?"), Accepted("b"), Accepted("b")),
        (Accepted("a"), Failed("not here"), Accepted("a")),
        (Failed("not here"), Unknown("?"), Unknown("?")),
        (Failed("not here"), Failed("nor here"), Failed("not here")),
    ],
)
async def test_after_a_restart_both_are_asked_and_a_doubt_stays_a_doubt(
    first: Outcome, second: Outcome, told: Outcome
) -> None:
    async with pair() as both:
        both.first.found, both.second.found = first, second
        assert await both.chooser.find("from before") == told


async def test_a_look_tries_both_and_receipts_of_both_arrive() -> None:
    async with pair() as both:
        assert len(await both.chooser.probe()) == 2
        for gateway in (both.first, both.second):
            assert gateway.sink is not None
            await gateway.sink(Report("sms", "a", Evidence.DELIVERED))


async def test_before_it_runs_nothing_is_sent() -> None:
    async with pair() as both:
        chooser = both.chooser
        outgoing = both.outgoing("a")
    ((_, outcome),) = [each async for each in chooser.send([outgoing])]
    assert isinstance(outcome, Failed)
    assert outcome.retry == "throttled"


async def test_a_gateway_that_breaks_ends_its_batch_and_nothing_else() -> None:
    class Broken(Scripted):
        async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
            if "bad" in batch[0].attempt:
                raise RuntimeError("a bug")
            async for each in super().send(batch):
                yield each

    async with pair() as both:
        both.chooser._first = replace(both.chooser._first, gateway=Broken())
        (outcome,) = await both.send("bad")
        assert isinstance(outcome, Unknown)
        assert await both.send_one("good") == Accepted("taken")


async def test_twilio_that_refuses_passes_on_and_twilio_that_hangs_does_not() -> None:
    """The same over real sockets: what is passed on never stands in Twilio's list."""
    async with on_stage(timeout_s=0.3) as stage:
        second = Scripted()
        chooser = Chooser((("twilio", stage.gateway), ("smpp", second)), stage.context)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(chooser.run(stage.ledger))
            await until(lambda: chooser.problem() is None)
            stage.twilio.faults.extend(["429", 21606, "lost"])
            outcomes: list[Outcome] = []
            for attempt in ("a", "b", "c"):
                await stage.clock.advance(8)
                outcomes += [outcome async for _, outcome in chooser.send([stage.outgoing(attempt)])]
            task.cancel()
        assert [type(outcome) for outcome in outcomes] == [Accepted, Accepted, Unknown]
        assert second.tried == ["a", "b"]
        assert stage.kept().form["StatusCallback"].endswith("attempt=c")


@given(st.lists(st.one_of(st.sampled_from(OUTCOMES), st.floats(0, 100)), max_size=60))
def test_a_breaker_never_blocks_for_more_than_it_was_asked_or_a_minute(steps: list[Outcome | float]) -> None:
    now = 0.0
    breaker = Breaker(lambda: now)
    for step in steps:
        if isinstance(step, float):
            now += step
        elif breaker.admit():
            breaker.ended(step)
        assert breaker.resting_s() <= 60
    now += 60
    assert breaker.resting_s() == 0
    assert breaker.admit()
    breaker.ended(Accepted())
    assert breaker.ready()
    assert breaker.cause is None
