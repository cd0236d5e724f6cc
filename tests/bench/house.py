"""A whole `warnd serve` as a child process over a real SQLite file with synchronous=FULL, and what the system says of it."""

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx

from tests.bench.country import TOKEN, Country, settle
from tests.fakes.served import Served, start
from tests.fakes.twilio import ACCOUNT_SID, AUTH_TOKEN, SENDER
from tests.ports import free_port
from tests.simulation.documents import document, flood
from warnd.clock import SystemClock
from warnd.resources import shipped

_SETTINGS = """
plans_file = "{plans}"
node.languages = ["zh", "en"]
node.jurisdiction = [{jurisdiction}]
store.url = "sqlite:///warnd.sqlite"
http.listen = "127.0.0.1:{port}"
log.level = "warning"
{more}
"""


_TWILIO = """
http.public_url = "https://warn.example"
[sms]
provider = "twilio"
rate_per_s = {rate}
[sms.twilio]
account_sid = "{account}"
auth_token_file = "token"
from = "{sender}"
base_url = "{url}"
"""


def by_twilio(folder: Path, url: str, *, rate: int = 100_000) -> str:
    """Return the settings with which texts go to the Twilio at this address, as fast as they can."""
    (folder / "token").write_text(AUTH_TOKEN)
    return _TWILIO.format(account=ACCOUNT_SID, sender=SENDER, url=url, rate=rate)


@dataclass(slots=True)
class House:
    """One daemon at work."""

    folder: Path
    served: Served
    country: Country
    http: httpx.AsyncClient

    async def release(self, **changed: Any) -> str:
        """Release a red flood warning for the whole country; return its id once it was accepted."""
        sent = SystemClock().now().replace(microsecond=0)
        alert = flood(**{"codes": self.country.provinces, "sent": sent, **changed})
        answer = await self.http.post(
            "/api/v1/warnings", content=document(alert), headers={"Content-Type": "application/cap+xml"}
        )
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return str(answer.json()["id"])

    def number(self, statement: str) -> int:
        """Return the one number that a query finds in the store."""
        with sqlite3.connect(f"file:{self.folder / 'warnd.sqlite'}?mode=ro", uri=True) as conn:
            found: int | None = conn.execute(statement).fetchone()[0]
        conn.close()
        return found or 0

    def rss_mb(self) -> float:
        """Return the memory that is resident."""
        return _status(self.served.process.pid, "VmRSS:")

    def peak_mb(self) -> float:
        """Return the most memory that was ever resident."""
        return _status(self.served.process.pid, "VmHWM:")

    def cpu_s(self) -> float:
        """Return the processor time of all threads so far."""
        fields = Path(f"/proc/{self.served.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def metrics(self) -> dict[str, float]:
        """Return what `/metrics` says, by name with labels."""
        lines = (await self.http.get("/metrics")).text.splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[:1] not in {"#", ""}}

    async def blocked(self) -> tuple[float, float, float]:
        """Return how many turns the event loop made, how many of them held it over 50 ms, and the longest of the last minute in seconds."""
        told = await self.metrics()
        turns = told['warnd_loop_blocked_seconds_bucket{le="+Inf"}']
        return turns, turns - told['warnd_loop_blocked_seconds_bucket{le="0.05"}'], told["warnd_loop_lag_seconds"]


def _status(pid: int, key: str) -> float:
    told = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(told.partition(key)[2].split()[0]) / 1024


@asynccontextmanager
async def house(folder: Path, country: Country, *, more: str = "", settled: bool = False) -> AsyncIterator[House]:
    """Run a daemon until the block ends.

    Args:
        folder: For everything.
        country: Who lives there.
        more: Sections of the settings.
        settled: The store is there already.
    """
    port = free_port()
    if not settled:
        settle(folder, country)
    jurisdiction = ", ".join(f'"{code}"' for code in country.provinces)
    config = folder / "warnd.toml"
    plans = shipped("config") / "plans.toml"
    config.write_text(_SETTINGS.format(plans=plans, jurisdiction=jurisdiction, port=port, more=more), "utf-8")
    served = await start(config, port=port, log=folder / "serve.log")
    headers = {"Authorization": f"Bearer {TOKEN}"}
    try:
        async with httpx.AsyncClient(base_url=served.url, headers=headers, timeout=120) as http:
            yield House(folder, served, country, http)
    finally:
        if served.process.returncode is None:
            served.process.terminate()
            await served.process.wait()


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._began = perf_counter()

    def s(self) -> float:
        """Return the seconds so far."""
        return perf_counter() - self._began
