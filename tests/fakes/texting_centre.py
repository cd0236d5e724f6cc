"""A real `warnd serve` of a small county whose texts go out by any gateway, seen from outside; it may be killed and started again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.fakes.served import Served, serving, start
from tests.ports import free_port
from tests.simulation.county import VILLAGES, found, recipients_csv
from tests.simulation.documents import document, flood
from tests.stores import store_url
from tests.waiting import until
from warnd.clock import SystemClock
from warnd.ledger.store import open_engine
from warnd.ledger.tokens import create, hashed

OFFICER, OFFICERS_PHONE = "officer-519999101201", "13800000000"
CHIEF, CHIEFS_PHONE = "chief", "13500000000"
PEOPLE = 9  # Six officers, two township leaders, the chief.
_TOKEN = "story-token"


@dataclass
class TextingCentre:
    """The daemon, its folder, and a client with a release token."""

    folder: Path
    port: int
    served: Served
    http: httpx.AsyncClient

    async def release(self) -> str:
        """Release a yellow flood warning; return its id."""
        alert = flood(identifier="QH-1", level="yellow", sent=SystemClock().now().replace(microsecond=0))
        answer = await self.http.post(
            "/api/v1/warnings", content=document(alert), headers={"Content-Type": "application/cap+xml"}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def deliveries(self, warning: str) -> dict[str, dict[str, Any]]:
        """Return each recipient's delivery."""
        listed = await self.http.get(f"/api/v1/warnings/{warning}/deliveries", params={"limit": "1000"})
        return {one["recipient"]: one for one in listed.json()["deliveries"]}

    async def until_evidence(self, warning: str, recipient: str, evidence: str) -> None:
        """Return when the recipient's evidence is this."""
        for _ in range(300):
            found = (await self.deliveries(warning)).get(recipient, {})
            if found.get("evidence") == evidence:
                return
            await _a_moment()
        raise AssertionError(f"{recipient} never {evidence}: {await self.deliveries(warning)}")

    async def crash(self) -> None:
        """Kill it as a power cut does, and start it again on the same port."""
        await self.served.kill()
        self.served = await start(self.folder / "warnd.toml", port=self.port, log=self.folder / "serve.log")


@asynccontextmanager
async def texting_centre(folder: Path, sms: str) -> AsyncIterator[TextingCentre]:
    """Serve the county with these tables for SMS until the block ends."""
    port, url = free_port(), store_url(folder)
    head = f'[store]\nurl = "{url}"\n[node]\nlanguages = ["zh", "en"]\n[http]\nlisten = "127.0.0.1:{port}"\n'
    (folder / "warnd.toml").write_text(f"{head}{sms}", "utf-8")
    found(url, folder, clock=SystemClock(), recipients=recipients_csv(households=0, without_terminal=VILLAGES))
    engine = open_engine(url)
    with engine.begin() as conn:
        create(conn, token_hash=hashed(_TOKEN), scope="release", senders=(), region=None, now=SystemClock().now())
    engine.dispose()
    async with (
        serving(folder / "warnd.toml", port=port, log=folder / "serve.log") as served,
        httpx.AsyncClient(base_url=served.url, headers={"Authorization": f"Bearer {_TOKEN}"}, timeout=15) as http,
    ):
        centre = TextingCentre(folder, port, served, http)
        try:
            yield centre
        finally:
            if centre.served is not served:
                centre.served.process.terminate()
                await centre.served.process.wait()


async def _a_moment() -> None:
    seen = 0

    def second_look() -> bool:
        nonlocal seen
        seen += 1
        return seen > 1

    await until(second_look)
