"""A real `warnd serve` of a small county whose texts go out by the fake Twilio, seen from outside."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.fakes.served import serving
from tests.fakes.sms_twilio import twilio_toml
from tests.fakes.twilio import AUTH_TOKEN, FakeTwilio, Kept, fake_twilio
from tests.ports import free_port
from tests.simulation.county import VILLAGES, found, recipients_csv
from tests.simulation.documents import document
from tests.stores import store_url
from tests.waiting import until
from warnd.clock import SystemClock
from warnd.ledger.store import open_engine
from warnd.ledger.tokens import create, hashed
from warnd.model.cap import Alert

_TOKEN = "story-token"


@dataclass
class TwilioCentre:
    """The daemon, its gateway, and a release token."""

    twilio: FakeTwilio
    folder: Path
    http: httpx.AsyncClient

    async def release(self, alert: Alert) -> str:
        """Release a warning; return its id."""
        answer = await self.http.post(
            "/api/v1/warnings", content=document(alert), headers={"Content-Type": "application/cap+xml"}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def deliveries(self, warning: str) -> dict[str, dict[str, Any]]:
        """Return each recipient's delivery."""
        listed = await self.http.get(f"/api/v1/warnings/{warning}/deliveries", params={"limit": "1000"})
        return {one["recipient"]: one for one in listed.json()["deliveries"]}

    async def evidence(self, warning: str) -> dict[str, str]:
        """Return each recipient's strongest evidence."""
        return {name: one["evidence"] for name, one in (await self.deliveries(warning)).items()}

    async def until_evidence(self, warning: str, recipient: str, evidence: str) -> None:
        """Return when the recipient's evidence is this."""
        for _ in range(300):
            if (await self.evidence(warning)).get(recipient) == evidence:
                return
            await _a_moment()
        raise AssertionError(f"{recipient} never {evidence}: {await self.deliveries(warning)}")

    def texts_to(self, phone: str) -> list[Kept]:
        """Return what Twilio keeps for a phone, oldest first."""
        return [one for one in self.twilio.heard() if one.form["To"] == phone]

    def spooled(self) -> list[dict[str, Any]]:
        """Return what lies in the spool."""
        return [json.loads(path.read_text("utf-8")) for path in sorted((self.folder / "spool" / "out").glob("*.json"))]


@asynccontextmanager
async def twilio_centre(folder: Path, *, fallback: bool = False) -> AsyncIterator[TwilioCentre]:
    """Serve the county until the block ends; with `fallback`, a spool stands behind Twilio."""
    async with fake_twilio() as site:
        port, url = free_port(), store_url(folder)
        (folder / "token").write_text(AUTH_TOKEN)
        (folder / "warnd.toml").write_text(_settings(site.twilio.url, port=port, store=url, fallback=fallback), "utf-8")
        people = recipients_csv(households=0, without_terminal=VILLAGES)
        found(url, folder, clock=SystemClock(), recipients=people)
        engine = open_engine(url)
        with engine.begin() as conn:
            create(conn, token_hash=hashed(_TOKEN), scope="release", senders=(), region=None, now=SystemClock().now())
        engine.dispose()
        async with (
            serving(folder / "warnd.toml", port=port, log=folder / "serve.log") as served,
            httpx.AsyncClient(base_url=served.url, headers={"Authorization": f"Bearer {_TOKEN}"}, timeout=15) as http,
        ):
            site.twilio.proxied_to = served.url
            yield TwilioCentre(site.twilio, folder, http)


def _settings(url: str, *, port: int, store: str, fallback: bool) -> str:
    sms = twilio_toml(url).replace("[http]\n", f'[http]\nlisten = "127.0.0.1:{port}"\n')
    if fallback:
        sms = sms.replace('"twilio"\n', '"twilio"\nfallback = "spool"\nspool.dir = "spool"\n')
    return f'[store]\nurl = "{store}"\n[node]\nlanguages = ["zh", "en"]\n{sms}'


async def _a_moment() -> None:
    seen = 0

    def second_look() -> bool:
        nonlocal seen
        seen += 1
        return seen > 1

    await until(second_look)
