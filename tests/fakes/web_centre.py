"""A whole warning centre in one process for tests of its web: the real daemon on an inline ledger, with a clock moved by hand."""

import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import httpx
from sqlalchemy import Connection

from channels import Build
from channels.web import build as build_web
from tests import stores
from tests.fakes.clock import START, HandClock
from tests.fakes.rows import Rows
from warnd.daemon import Daemon, read_files
from warnd.ledger import tokens
from warnd.ledger.store import InlineLedger
from warnd.model import cap
from warnd.model.authority import Scope
from warnd.settings import load

T = TypeVar("T")

CAP_TYPE = {"Content-Type": "application/cap+xml"}
PUBLIC_URL = "https://warn.qinghe.example"
_SETTINGS = """
[node]
name = "青河县预警中心"
jurisdiction = ["990101"]
languages = ["zh", "en"]
[intake.levels."*"]
Extreme = "red"
Severe = "orange"
Moderate = "yellow"
Minor = "blue"
"""

ZH = cap.Info(
    language="zh-CN",
    category=("Met",),
    event="洪水",
    response_types=("Evacuate",),
    urgency="Immediate",
    severity="Extreme",
    certainty="Observed",
    onset=START,
    expires=START + timedelta(hours=6),
    sender_name="青河县气象台",
    headline="青河县气象台发布洪水红色预警",
    description="上游水库正在泄洪。",
    instruction="请立即转移到高处。",
    areas=(cap.Area(description="第1乡", geocodes=(("region_code", "990101001000"),)),),
)
EN = replace(
    ZH,
    language="en",
    event="Flood",
    sender_name="Qinghe Weather Office",
    headline="Red flood warning for Qinghe",
    description="The reservoir upstream is letting water out.",
    instruction="Go to high ground now.",
    areas=(replace(ZH.areas[0], description="Township 1"),),
)
FLOOD = cap.Alert(
    identifier="flood-1",
    sender="flood@qinghe.example",
    sent=START,
    status="Actual",
    msg_type="Alert",
    scope="Public",
    infos=(ZH, EN),
)


def flood(identifier: str = "flood-1", **changes: Any) -> bytes:
    """Return the good warning under another identifier, with anything changed, as a document."""
    return cap.write(replace(FLOOD, identifier=identifier, **changes))


def after(identifier: str, msg_type: str, *earlier: str, **changes: Any) -> bytes:
    """Return an Update or Cancel of earlier warnings."""
    references = tuple(cap.Reference(FLOOD.sender, each, FLOOD.sent) for each in earlier)
    sent = START + timedelta(minutes=1)
    return flood(identifier, msg_type=msg_type, references=references, sent=sent, **changes)


@dataclass
class Centre:
    """The daemon and ways to knock at its door."""

    daemon: Daemon
    ledger: InlineLedger
    clock: HandClock

    async def rows(self, make: Callable[[Rows], T]) -> T:
        """Put rows straight into the ledger."""

        def op(conn: Connection) -> T:
            return make(Rows(conn))

        return await self.ledger.write(op)

    async def token(self, scope: Scope = "release", *, senders: Iterable[str] = (), region: str | None = None) -> str:
        """Make a token."""
        token = f"{scope}-{'-'.join(senders)}-{region}"
        made = {"token_hash": tokens.hashed(token), "scope": scope, "senders": senders, "region": region}
        await self.ledger.write(tokens.create, now=self.clock.now(), **made)  # type: ignore[arg-type] # keyword by keyword above
        return token

    @asynccontextmanager
    async def visitor(self, *, host: str = "192.0.2.7", **headers: str) -> AsyncIterator[httpx.AsyncClient]:
        """Give a client without a token."""
        # A failure inside is a 500 to a client here as it is in life, not an exception in the test.
        transport = httpx.ASGITransport(self.daemon.app, client=(host, 4711), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://warnd.example", headers=headers) as client:
            yield client

    @asynccontextmanager
    async def caller(self, scope: Scope = "release", **more: Any) -> AsyncIterator[httpx.AsyncClient]:
        """Give a client with a token of this scope."""
        async with self.visitor(Authorization=f"Bearer {await self.token(scope, **more)}") as client:
            yield client

    async def release(self, document: bytes) -> str:
        """Bring in a warning that goes out at once; return its id."""
        async with self.visitor(Authorization="Bearer centre") as client:
            answered = await client.post("/api/v1/warnings", content=document, headers=CAP_TYPE)
            assert answered.status_code == 201, answered.text
            self.clock.advance(1)
            return str(answered.json()["id"])


@asynccontextmanager
async def centre(
    folder: Path, *, more: str = "", build: Mapping[str, Build] = MappingProxyType({"web": build_web})
) -> AsyncIterator[Centre]:
    """Build one with a small county and its own release token.

    `more` is put under its settings; `build` makes its channels.
    """
    (folder / "warnd.toml").write_text(_SETTINGS + more)
    settings = load(folder / "warnd.toml", {})
    ledger, clock = stores.inline(), HandClock()
    daemon = Daemon(
        settings,
        ledger=ledger,
        clock=clock,
        chance=random.Random(7),
        writer="writer",
        tag="tag",
        answer_key=bytes(range(32)),
        files=read_files(settings),
        public_url=PUBLIC_URL,
        build=build,
    )
    built = Centre(daemon, ledger, clock)
    await built.rows(lambda rows: rows.county())
    await ledger.write(tokens.create, token_hash=tokens.hashed("centre"), scope="release", now=clock.now())
    try:
        yield built
    finally:
        await ledger.close()
