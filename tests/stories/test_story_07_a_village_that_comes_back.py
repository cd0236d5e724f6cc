"""Story 7: a village is offline while a warning goes out and stays valid. It comes back, hears it once, and is confirmed, late."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.fakes.broker import needs_mosquitto
from tests.fakes.countryside import DAEMON_USER, Countryside, countryside, terminal_of
from tests.fakes.loudspeaker import LIVE_KEY, to_terminal
from tests.simulation.county import VILLAGES
from tests.simulation.documents import flood
from warnd.clock import SystemClock
from warnd.model.loudspeaker import Verb, sign_command, terminal_command_topic

pytestmark = needs_mosquitto

_VILLAGE = VILLAGES[0]
_TERMINAL = terminal_of(_VILLAGE)
_TRIES = 4
_HOURS = [
    "零",
    "一",
    "两",
    "三",
    "四",
    "五",
    "六",
    "七",
    "八",
    "九",
    "十",
    "十一",
    "十二",
    "十三",
    "十四",
    "十五",
    "十六",
    "十七",
    "十八",
    "十九",
    "二十",
    "二十一",
    "二十二",
    "二十三",
]


async def test_a_village_back_after_hours_hears_the_warning_once_and_is_confirmed_late(tmp_path: Path) -> None:
    async with countryside(tmp_path, tries=_TRIES, within_s=1) as centre:
        async with centre.loudspeaker(_VILLAGE):
            await centre.until_terminal(_TERMINAL, online=True)
        await centre.until_terminal(_TERMINAL, online=False)
        issued = _half_past(SystemClock().now() - timedelta(hours=3))
        warning = await centre.release(flood(codes=(_VILLAGE,), sent=issued, life=timedelta(hours=9)))
        await _silence(centre, warning)
        async with centre.loudspeaker(_VILLAGE):
            await _confirmed(centre, warning)
            await _backlog_is_through(centre, volume=31)
        async with centre.loudspeaker(_VILLAGE):  # Another power cut: the retained command comes once more.
            await _backlog_is_through(centre, volume=32)
        assert _told_of(centre, warning) == [("received", 0, None), ("playing", 0, None), ("played", 1, None)]
        await _late_is_shown_as_late(centre, warning)
        assert f"{_HOURS[issued.astimezone(ZoneInfo('Asia/Shanghai')).hour]}点三十分发布" in centre.said
        assert "Issued at" in centre.said
        assert "Traceback" not in centre.log + centre.heard(_VILLAGE)


def _half_past(moment: datetime) -> datetime:
    return moment.replace(minute=30, second=0, microsecond=0)


async def _silence(centre: Countryside, warning: str) -> None:
    """Wait until every direct retry lies in the broker, the deadline has passed, and the daemon says why nothing is heard."""

    async def exhausted() -> bool:
        (delivery,) = (await centre.ask(f"/api/v1/warnings/{warning}/explain", recipient=_TERMINAL))["deliveries"] or [
            {}
        ]
        tries = [attempt["state"] for leg in delivery.get("legs", ()) for attempt in leg["attempts"]]
        return len(tries) == _TRIES and delivery["state"] == "exhausted" and delivery["breached_at"] is not None

    await centre.until(exhausted)
    (silent,) = (await centre.ask(f"/api/v1/warnings/{warning}/coverage"))["unconfirmed"]
    assert (silent["code"], silent["reason"]) == (_VILLAGE, "offline")


async def _confirmed(centre: Countryside, warning: str) -> None:
    async def confirmed() -> bool:
        villages = (await centre.ask(f"/api/v1/warnings/{warning}"))["totals"]["villages"]
        return bool(villages["confirmed"])

    await centre.until(confirmed)
    for _ in range(_TRIES):  # They did pile up, and they did come.
        await asyncio.to_thread(centre.broker.wait_for, f"Sending PUBLISH to {_TERMINAL} (d0, q1, r0")


async def _backlog_is_through(centre: Countryside, *, volume: int) -> None:
    """Send one more command behind all the others, and wait until the terminal has obeyed it."""
    now = SystemClock().now()
    command = replace(
        to_terminal(Verb.VOLUME), to=f"terminal:{_TERMINAL}", nonce=f"volume-{volume}", volume=volume, issued_at=now
    )
    command = replace(command, expires_at=now + timedelta(minutes=10))
    topic = terminal_command_topic(command.root, _TERMINAL)
    await centre.publish(DAEMON_USER, topic, sign_command(command, LIVE_KEY))
    await centre.until_terminal(_TERMINAL, online=True, volume=volume)


def _told_of(centre: Countryside, warning: str) -> list[tuple[object, ...]]:
    return centre.rows(
        "SELECT stage, pass_done, reason FROM terminal_receipt WHERE message_id = :id ORDER BY received_at, n",
        id=warning,
    )


async def _late_is_shown_as_late(centre: Countryside, warning: str) -> None:
    """The proof counts, and does not erase the breach (DESIGN §1, 4)."""
    document = await centre.ask(f"/api/v1/warnings/{warning}")
    assert document["totals"]["villages"] == {"targeted": 1, "confirmed": 1, "confirmed_late": 1, "unconfirmed": 0}
    assert (await centre.ask(f"/api/v1/warnings/{warning}/coverage"))["unconfirmed"] == []
    (delivery,) = (await centre.ask(f"/api/v1/warnings/{warning}/explain", recipient=_TERMINAL))["deliveries"]
    assert (delivery["state"], delivery["evidence"]) == ("satisfied", "presented")
    assert delivery["breached_at"] >= delivery["due_by"]
    assert delivery["satisfied_at"] > delivery["breached_at"]
