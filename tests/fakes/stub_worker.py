"""`warnd serve` whose texts go to a gateway that takes its time, on a machine whose clock may be wrong.

Each text is written down in the moment in which its network call would begin.
Run: python -m tests.fakes.stub_worker CONFIG LATENCY_S SKEW_S [CALLS]
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from starlette.routing import BaseRoute

import channels
from warnd.channel import NOT_STARTED, Accepted, Context, Outcome, Outgoing, ReceiptSink
from warnd.cli.logs import write_logs
from warnd.clock import SystemClock
from warnd.daemon.service import run
from warnd.model.evidence import Evidence
from warnd.settings import Settings, load


class Skewed(SystemClock):
    """A machine's clock that is wrong."""

    def __init__(self, off: timedelta) -> None:
        self._off = off

    def now(self) -> datetime:
        return super().now() + self._off


@dataclass(slots=True)
class Stub:
    """A gateway without limits that takes its time."""

    latency_s: float
    calls: Path | None
    name: str = "sms"
    strongest: Evidence = Evidence.ACKNOWLEDGED

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        now = SystemClock().monotonic()
        begun = [index for index, outgoing in enumerate(batch) if outgoing.start_by >= now]
        self._write([batch[index] for index in begun])
        for index in set(range(len(batch))) - set(begun):
            yield index, NOT_STARTED
        await asyncio.sleep(self.latency_s)
        for index in begun:
            yield index, Accepted(batch[index].attempt)

    async def run(self, _sink: ReceiptSink) -> None:
        await asyncio.Event().wait()

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    def problem(self) -> str | None:
        return None

    def _write(self, begun: Sequence[Outgoing]) -> None:
        if self.calls is None:
            return
        at = SystemClock().now().timestamp()
        lines = "".join(f"{at} {one.attempt} {int(one.repeated)} {one.message.id}\n" for one in begun)
        with self.calls.open("ab", buffering=0) as file:
            file.write(lines.encode())
            os.fsync(file.fileno())


def main(config: str, latency_s: str, skew_s: str, calls: str | None = None) -> None:
    settings = load(Path(config), {})
    write_logs(settings.log)
    stub = Stub(float(latency_s), None if calls is None else Path(calls))

    def build(_settings: Settings, _context: Context) -> Stub:
        return stub

    clock = Skewed(timedelta(seconds=float(skew_s)))
    run(settings, clock=clock, build={**channels.CHANNELS, "sms": build})


if __name__ == "__main__":
    main(*sys.argv[1:])
