"""The periodic jobs: what they do, made of parts that exist."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog
from apscheduler.triggers.cron import CronTrigger

from warnd.channel import Channel, Finding, Prober
from warnd.clock import Clock
from warnd.dispatch.timetable import Job
from warnd.ledger import cleanup, events
from warnd.ledger.store import Ledger
from warnd.ledger.values import to_ms
from warnd.settings import Settings

_KEPT = timedelta(days=30)
_ROWS = 500
_PAGE = 2_000  # Events verified in one look at the store.

log = structlog.get_logger(__name__)


def chores(settings: Settings, ledger: Ledger, clock: Clock, *, channels: Mapping[str, Channel]) -> list[Job]:
    """Return the jobs that the settings give hours to."""

    async def sweep() -> str | None:
        before_ms = to_ms(clock.now() - _KEPT)
        while await ledger.write(cleanup.sweep, before_ms=before_ms, limit=_ROWS):
            pass
        return None

    async def audit() -> str | None:
        return await _verify(ledger)

    async def probe() -> str | None:
        return await _probe(channels)

    own = settings.periodic
    work = {"cleanup": (own.cleanup, sweep), "audit": (own.audit, audit), "probe": (own.probe, probe)}
    return [
        Job(name, CronTrigger.from_crontab(hours, timezone=settings.node.timezone), do)
        for name, (hours, do) in work.items()
        if hours
    ]


async def _verify(ledger: Ledger) -> str | None:
    at, found = events.BEGINNING, 0
    while True:
        page = await ledger.read(events.verify_page, after=at, limit=_PAGE)
        for broken in page.breaks:
            found += 1
            log.critical("record_broken", no=broken.no, writer=broken.writer, seq=broken.seq, cause=broken.cause)
        if page.next is None:
            break
        at = page.next
    return f"{found} breaks in the record of events; see warnd audit verify" if found else None


async def _probe(channels: Mapping[str, Channel]) -> str | None:
    """Try every channel that can be tried; return which is in trouble."""
    wrong: list[str] = []
    for name, channel in channels.items():
        if not isinstance(channel, Prober):
            continue
        for finding in await _findings(name, channel):
            if finding.wrong is not None:
                log.warning("channel_unfit", channel=name, about=finding.about, wrong=finding.wrong)
                wrong.append(f"{name} ({finding.about}): {finding.wrong}")
    return "; ".join(wrong) or None


async def _findings(name: str, channel: Prober) -> Sequence[Finding]:
    try:
        return await channel.probe()
    except (
        Exception
    ) as error:  # The edge to other people's code: one that breaks is in trouble, and the daemon goes on.
        log.exception("probe_broke", channel=name, error=str(error))
        return [Finding("probe", wrong=f"it broke: {error}")]
