"""`warnd serve` whose texts go to a gateway that takes each after 100 ms: what limits it then is warnd and its store.

Run: python -m tests.bench.stub_worker CONFIG
"""

import asyncio
import sys
from collections.abc import AsyncIterator, MutableMapping, Sequence
from pathlib import Path
from typing import cast

from starlette.routing import BaseRoute

import channels
from warnd.channel import Accepted, Context, Outcome, Outgoing, ReceiptSink
from warnd.cli.logs import write_logs
from warnd.daemon.service import run
from warnd.model.evidence import Evidence
from warnd.settings import Settings, load

LATENCY_S = 0.1


class Stub:
    """A gateway without limits that takes its time."""

    name = "sms"
    strongest = Evidence.ACKNOWLEDGED

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        await asyncio.sleep(LATENCY_S)
        for index, outgoing in enumerate(batch):
            yield index, Accepted(outgoing.attempt)

    async def run(self, _sink: ReceiptSink) -> None:
        await asyncio.Event().wait()

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    def problem(self) -> str | None:
        return None


def _stub(_settings: Settings, _context: Context) -> Stub:
    return Stub()


if __name__ == "__main__":
    cast("MutableMapping[str, channels.Build]", channels.CHANNELS)["sms"] = _stub
    settings = load(Path(sys.argv[1]), {})
    write_logs(settings.log)
    run(settings)
