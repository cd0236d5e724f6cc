"""A Twilio gateway of ours against the fake, with its endpoints where the fake calls back, on a clock that a test moves."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

from starlette.applications import Starlette

from channels.sms.twilio import Twilio, TwilioOptions
from tests.fakes.manual_clock import ManualClock
from tests.fakes.message import red_flood
from tests.fakes.twilio import ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL, SENDER, FakeTwilio, Kept, Site, fake_twilio
from tests.waiting import until
from warnd.channel import Context, Outcome, Outgoing, Receipt, Text
from warnd.clock import SystemClock

TO = "+8613800138000"
BODY = "【清河预警】洪水红色预警：柳河镇。立即上山。回复1确认"


@dataclass
class Ledger:
    """Commits, after as many failures as it is told."""

    committed: list[Receipt] = field(default_factory=list)
    failures: int = 0

    async def __call__(self, receipt: Receipt) -> int | None:
        if self.failures:
            self.failures -= 1
            raise OSError("the disk is full")
        self.committed.append(receipt)
        return None


@dataclass
class Stage:
    """The gateway and what is around it."""

    site: Site
    gateway: Twilio
    clock: ManualClock
    ledger: Ledger
    context: Context

    @property
    def twilio(self) -> FakeTwilio:
        """The account at the other end."""
        return self.site.twilio

    def outgoing(self, attempt: str = "tag-1-1", *, to: str = TO, body: str = BODY, lives_s: float = 3600) -> Outgoing:
        """Return a try of a red warning."""
        now = self.clock.now()
        message = red_flood(now, name="w", lives=timedelta(seconds=lives_s))
        return Outgoing(attempt, message, "officer", to, (Text("zh", body, segments=-(-len(body) // 67)),))

    async def send(self, *batch: Outgoing) -> list[Outcome]:
        """Send a batch; return the outcomes in its order."""
        found = {index: outcome async for index, outcome in self.gateway.send(batch)}
        return [found[index] for index in range(len(batch))]

    async def send_one(self, attempt: str = "tag-1-1", *, body: str = BODY, lives_s: float = 3600) -> Outcome:
        """Send one text."""
        (outcome,) = await self.send(self.outgoing(attempt, body=body, lives_s=lives_s))
        return outcome

    def kept(self) -> Kept:
        """Return the one text that Twilio keeps."""
        (one,) = self.twilio.heard()
        return one


@asynccontextmanager
async def on_stage(
    *, sender: str = SENDER, timeout_s: float = 0.3, connections: int = 50, start: bool = True
) -> AsyncIterator[Stage]:
    """Run a gateway against a fake of its own."""
    async with fake_twilio() as site:
        options = TwilioOptions(
            account_sid=ACCOUNT_SID,
            auth_token=AUTH_TOKEN,
            sender=sender,
            base_url=site.twilio.url,
            public_url=PUBLIC_URL,
            timeout_s=timeout_s,
            connections=connections,
        )
        clock = ManualClock(SystemClock().now())  # The fake has the machine's; from here on this one is moved by hand.

        async def nobody(_terminal: str) -> bytes | None:
            return None

        context = Context(clock, random.Random(7), nobody, announce=lambda _message: None)
        gateway = Twilio(options, context)
        site.twilio.app = Starlette(routes=list(gateway.routes()))
        stage = Stage(site, gateway, clock, Ledger(), context)
        if not start:
            yield stage
            return
        async with asyncio.TaskGroup() as group:
            task = group.create_task(gateway.run(stage.ledger))
            await until(lambda: gateway.problem() is None)
            yield stage
            task.cancel()


def at(stage: Stage, outgoing: Outgoing, *, start_in_s: float) -> Outgoing:
    """Return the try with a bound on its start."""
    return replace(outgoing, start_by=stage.clock.monotonic() + start_in_s)
