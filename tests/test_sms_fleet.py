"""Several gateways behind one channel: each text goes where it was meant to, and what comes back is told apart."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.routing import BaseRoute

from channels.sms import build
from channels.sms.fleet import Fleet, Named
from tests.fakes.manual_clock import ManualClock, settle
from tests.fakes.message import red_flood
from warnd.channel import (
    Accepted,
    Context,
    Failed,
    Finding,
    Outcome,
    Outgoing,
    Receipt,
    ReceiptSink,
    Report,
    Sender,
    Text,
    Unknown,
)
from warnd.model.evidence import Evidence
from warnd.settings import SettingsError, load

TAKEN = Accepted("1a2b")
NOBODY_KNOWS = Unknown("?")
TWO = (
    '[sms]\nrate_per_s = 50\n[sms.spool]\ndir = "a"\n[sms.senders.unicom]\nprovider = "spool"\nweight = 3\nrate_per_s = 30\n'
    '[sms.senders.mobile]\nprovider = "spool"\nspool.dir = "b"\nconcurrency = 5\n'
)


@dataclass
class Scripted:
    """A gateway that answers all alike, or hangs."""

    always: Outcome | None = TAKEN
    trouble: str | None = None
    tried: list[str] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    found: Outcome = NOBODY_KNOWS
    name = "sms"
    strongest = Evidence.ACKNOWLEDGED
    sink: ReceiptSink | None = None

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        self.batches.append(len(batch))
        self.tried += [one.attempt for one in batch]
        for index, _ in enumerate(batch):
            if self.always is None:
                await asyncio.Event().wait()
            else:
                yield index, self.always

    async def find(self, attempt: str) -> Outcome:
        assert attempt
        return self.found

    async def probe(self) -> Sequence[Finding]:
        return [Finding("account", self.trouble)]

    async def run(self, sink: ReceiptSink) -> None:
        self.sink = sink
        await asyncio.Event().wait()

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    def problem(self) -> str | None:
        return self.trouble


@dataclass
class Pair:
    """A fleet of two scripted gateways at work."""

    fleet: Fleet
    clock: ManualClock
    first: Scripted
    second: Scripted
    receipts: list[Receipt] = field(default_factory=list)

    def outgoing(self, attempt: str, sender: str | None) -> Outgoing:
        message = red_flood(self.clock.now())
        return Outgoing(attempt, message, "p", "+8613800000000", (Text("zh", "洪水"),), sender=sender)

    async def send(self, *senders: str | None) -> list[Outcome]:
        batch = [self.outgoing(f"a-{number}", sender) for number, sender in enumerate(senders)]
        found = {index: outcome async for index, outcome in self.fleet.send(batch)}
        return [found[index] for index in range(len(batch))]


def context(clock: ManualClock) -> Context:
    async def nobody(_terminal: str) -> bytes | None:
        return None

    return Context(clock, random.Random(1), nobody, announce=lambda _message: None)


@asynccontextmanager
async def pair() -> AsyncIterator[Pair]:
    clock, first, second = ManualClock(), Scripted(), Scripted()
    fleet = Fleet([(Sender("one"), first), (Sender("two", weight=0), Named(second, "two"))], context(clock))
    both = Pair(fleet, clock, first, second)

    async def sink(receipt: Receipt) -> None:
        both.receipts.append(receipt)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(fleet.run(sink))
        await settle()
        yield both
        task.cancel()


async def test_each_text_goes_by_its_sender_and_what_belongs_together_goes_together() -> None:
    async with pair() as both:
        assert await both.send("two", "one", "two") == [Accepted("two/1a2b"), TAKEN, Accepted("two/1a2b")]
        assert (both.first.tried, both.second.tried) == (["a-1"], ["a-0", "a-2"])
        assert both.second.batches == [2]


async def test_a_gateway_that_hangs_keeps_no_other_waiting() -> None:
    async with pair() as both:
        both.first.always = None
        arriving = both.fleet.send([both.outgoing("a", "one"), both.outgoing("b", "two")])
        assert await anext(arriving) == (1, Accepted("two/1a2b"))


async def test_where_nobody_chose_the_first_that_can_takes_it() -> None:
    async with pair() as both:
        assert await both.send(None) == [TAKEN]
        both.first.trouble = "It cannot be reached."
        assert await both.send(None) == [Accepted("two/1a2b")]


async def test_a_sender_that_was_taken_out_of_the_settings_fails_its_try_and_no_other() -> None:
    async with pair() as both:
        gone, there = await both.send("gone", "one")
        assert isinstance(gone, Failed)
        assert (gone.retry, there) == ("transient", TAKEN)


async def test_references_of_two_accounts_are_told_apart_in_answers_look_ups_and_reports() -> None:
    async with pair() as both:
        both.first.found = both.second.found = TAKEN
        assert await both.fleet.find_at("one", "a") == TAKEN
        assert await both.fleet.find_at("two", "a") == Accepted("two/1a2b")
        for gateway in (both.first, both.second):
            assert gateway.sink is not None
            await gateway.sink(Report("sms", None, Evidence.DELIVERED, reference="1a2b"))
            await gateway.sink(Report("sms", "a", Evidence.DELIVERED))
        assert [one.reference for one in both.receipts if isinstance(one, Report)] == ["1a2b", None, "two/1a2b", None]


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (Unknown("?"), Accepted("b"), Accepted("two/b")),
        (Accepted("a"), Failed("not here"), Accepted("a")),
        (Failed("not here"), Unknown("?"), Unknown("?")),
        (Failed("not here"), Failed("nor here"), Failed("not here")),
    ],
)
async def test_where_nobody_knows_who_had_a_try_all_are_asked_and_a_doubt_stays_a_doubt(
    first: Outcome, second: Outcome, told: Outcome
) -> None:
    async with pair() as both:
        both.first.found, both.second.found = first, second
        assert await both.fleet.find("from before") == told
        assert isinstance(await both.fleet.find_at("gone", "from before"), Unknown)


async def test_only_when_none_can_send_there_is_a_problem_and_it_names_all() -> None:
    async with pair() as both:
        both.first.trouble = "It refuses the account. Correct the token."
        assert both.fleet.problem() is None
        assert both.fleet.trouble("one") == both.first.trouble
        both.second.trouble = "It cannot be reached. Check the network."
        assert both.fleet.problem() == (
            "No SMS can leave by any gateway. one: It refuses the account. Correct the token. "
            "two: It cannot be reached. Check the network."
        )
        assert [found.about for found in await both.fleet.probe()] == ["account", "two: account"]


async def test_a_gateway_that_stops_and_comes_back_is_told_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    async with pair() as both:
        both.first.trouble = "It cannot be reached."
        await both.clock.advance(30)
        both.first.trouble = None
        await both.clock.advance(1)
    told = capsys.readouterr().out
    assert told.count("sms_gateway_problem") == 1
    assert told.count("sms_gateway_usable") == 1


async def test_before_it_runs_nothing_is_sent() -> None:
    async with pair() as both:
        outgoing = both.outgoing("a", "one")
    ((_, outcome),) = [each async for each in both.fleet.send([outgoing])]
    assert isinstance(outcome, Failed)
    assert outcome.retry == "throttled"


async def test_a_gateway_that_breaks_ends_its_own_tries_and_nothing_else() -> None:
    class Broken(Scripted):
        async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
            if batch:
                raise RuntimeError("a bug")
            yield 0, TAKEN

    async with pair() as both:
        both.fleet._gateways["one"] = Broken()
        broken, good = await both.send("one", "two")
        assert isinstance(broken, Unknown)
        assert good == Accepted("two/1a2b")


def _loaded(folder: Path, text: str) -> Fleet:
    config = folder / "warnd.toml"
    config.write_text(text)
    built = build(load(config, {}), context(ManualClock()))
    assert built is not None
    return built


def test_a_provider_and_its_fallback_are_two_senders_of_which_the_second_stands_in(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret")
    smpp = '[sms.smpp]\nhost = "127.0.0.1"\nsystem_id = "w"\npassword_file = "password"\nstart_tls = false\n'
    text = f'[sms]\nprovider = "smpp"\nfallback = "spool"\nspool.dir = "s"\n{smpp.replace("start_tls = false", "")}'
    assert [(one.name, one.weight) for one in _loaded(tmp_path, text).senders()] == [("smpp", 1), ("spool", 0)]


def test_senders_have_names_weights_rates_and_accounts_of_their_own(tmp_path: Path) -> None:
    fleet = _loaded(tmp_path, TWO)
    assert fleet.senders() == (Sender("unicom", 3, 30.0), Sender("mobile", 1, None, 5))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TWO.replace('spool.dir = "b"\n', ""), "are the same account, [sms.spool]. Write a table [sms.senders.mobile.spool]"),
        (TWO.replace('dir = "a"\n', "").replace("[sms.spool]\n", ""), "The sender unicom has no table spool. Write a table"),
        (TWO.replace("rate_per_s = 50", 'fallback = "twilio"'), "There is a fallback, too. Take fallback out"),
        (TWO.replace("weight = 3", "weight = 0").replace("concurrency = 5", "weight = 0"), "None of them has a weight."),
        (TWO.replace("concurrency = 5", 'twilio = { account_sid = "AC' + "0" * 32 + '", auth_token_file = "t", from = "1234" }'),
         'It has a table twilio, but its provider is "spool".'),
        (TWO.replace("senders.mobile", "senders.Mobile"), "sms.senders"),
    ],
)  # fmt: skip
def test_senders_that_do_not_fit_together_are_refused_with_a_cure(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "t").write_text("token")
    with pytest.raises(SettingsError) as refused:
        _loaded(tmp_path, text)
    assert told in str(refused.value)
