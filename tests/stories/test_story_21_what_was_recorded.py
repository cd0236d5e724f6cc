"""Story 21: somebody who recorded the broker, or reads it with the daemon's own password, plays what was recorded again. Nothing sounds.

The daemon's key stays with the daemon, so a command can only be repeated, never made.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.fakes.broker import needs_mosquitto
from tests.fakes.countryside import DAEMON_USER, Countryside, captured, countryside, state, terminal_of
from tests.fakes.loudspeaker import LIVE_KEY, PLAY
from tests.simulation.county import VILLAGES
from tests.simulation.documents import cancel_of, flood
from tests.waiting import until
from warnd.clock import SystemClock
from warnd.model.loudspeaker import (
    LIVE_ROOT,
    receipt_topic,
    region_command_topic,
    sign_command,
    state_topic,
    terminal_command_topic,
)

pytestmark = needs_mosquitto

A, B = VILLAGES[:2]
TERMINAL_A, TERMINAL_B = terminal_of(A), terminal_of(B)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A warning for village A that sounded there, and what a listener at the broker has of it."""

    centre: Countryside
    warning: str
    topic: str
    play: bytes


@pytest.fixture
async def recorded(tmp_path: Path) -> AsyncIterator[Recorded]:
    async with countryside(tmp_path, villages=(A, B)) as centre, centre.loudspeaker(A), centre.loudspeaker(B):
        await centre.until_terminal(TERMINAL_A, online=True)
        await centre.until_terminal(TERMINAL_B, online=True)
        yield await _record(centre, life=timedelta(hours=2))


async def _record(
    centre: Countryside, *, life: timedelta, identifier: str = "QH-1", codes: tuple[str, ...] = (A,)
) -> Recorded:
    ids: list[str] = []
    sent = SystemClock().now().replace(microsecond=0)

    async def release() -> None:
        ids.append(await centre.release(flood(codes=codes, sent=sent, life=life, identifier=identifier)))

    # Any terminal may read what is said to any region: that is how a stranger in a village records it.
    play = await captured(centre, TERMINAL_B, f"{LIVE_ROOT}/region/{A}/command/+", trigger=release)
    (warning,) = ids
    await centre.until(lambda: _confirmed(centre, warning))
    return Recorded(centre, warning, region_command_topic(LIVE_ROOT, A, warning), play)


async def _confirmed(centre: Countryside, warning: str) -> bool:
    villages = (await centre.ask(f"/api/v1/warnings/{warning}"))["totals"]["villages"]
    return bool(villages["confirmed"] == 1)


def _sounded(centre: Countryside) -> list[tuple[object, ...]]:
    """Return everything that any loudspeaker says it has sounded."""
    return centre.rows(
        "SELECT terminal, message_id, n FROM terminal_receipt WHERE stage IN ('playing', 'played') ORDER BY 1, 2, 3"
    )


def _proof(centre: Countryside) -> list[tuple[object, ...]]:
    """Return all that was proved so far."""
    deliveries = centre.rows("SELECT no, evidence, state, satisfied_at, breached_at FROM delivery ORDER BY no")
    villages = centre.rows("SELECT message_no, region, targeted, confirmed, late FROM village_tally ORDER BY 1, 2")
    return [*deliveries, *villages]


async def _told(centre: Countryside, warning: str, terminal: str, reason: str) -> bool:
    """Say whether the daemon shows that the terminal refused something of this warning, and why."""
    found = await centre.ask(f"/api/v1/warnings/{warning}/explain", recipient=terminal)
    return any((each["stage"], each["reason"]) == ("failed", reason) for each in found["playbacks"])


async def test_no_recorded_play_sounds_again(recorded: Recorded) -> None:
    """On another terminal's topic, of yesterday, after its Cancel, after its end: silence, a reported refusal, nothing proved."""
    centre = recorded.centre
    short_lived = await _record(centre, life=timedelta(seconds=8), identifier="QH-SHORT")
    before = _sounded(centre), _proof(centre)
    await _on_another_terminals_topic(recorded)
    await _of_yesterday(centre)
    assert (_sounded(centre), _proof(centre)) == before
    await centre.release(cancel_of(flood(codes=(A,), sent=SystemClock().now().replace(microsecond=0))))
    await centre.until(lambda: _stopped(centre))
    await centre.until(lambda: _is_expired(centre, short_lived.warning))
    before = _sounded(centre), _proof(centre)
    await centre.publish(DAEMON_USER, recorded.topic, recorded.play, retain=True)
    await centre.until(lambda: _told(centre, recorded.warning, TERMINAL_A, "superseded"))
    await centre.publish(DAEMON_USER, short_lived.topic, short_lived.play)
    await centre.until(lambda: _told(centre, short_lived.warning, TERMINAL_A, "expired"))
    assert (_sounded(centre), _proof(centre)) == before
    assert "superseded" in centre.heard(A)


async def _on_another_terminals_topic(recorded: Recorded) -> None:
    centre = recorded.centre
    await centre.publish(DAEMON_USER, terminal_command_topic(LIVE_ROOT, TERMINAL_B), recorded.play)
    await centre.until(lambda: _told(centre, recorded.warning, TERMINAL_B, "not_for_me"))
    await centre.publish(DAEMON_USER, region_command_topic(LIVE_ROOT, B, recorded.warning), recorded.play, retain=True)
    await until(lambda: len(_refusals(centre, "not_for_me")) > 1)


async def _of_yesterday(centre: Countryside) -> None:
    """A terminal that does not know the chain, because it was repaired since, has only the time to go by."""
    yesterday = SystemClock().now() - timedelta(days=1)
    old = replace(
        PLAY, issued_at=yesterday, expires_at=yesterday + timedelta(hours=2), message_id="old", chain_id="old"
    )
    topics = {
        f"region:{A}": region_command_topic(LIVE_ROOT, A, "old"),
        f"terminal:{TERMINAL_A}": terminal_command_topic(LIVE_ROOT, TERMINAL_A),
    }
    for to, topic in topics.items():
        await centre.publish(DAEMON_USER, topic, sign_command(replace(old, to=to), LIVE_KEY))
    await until(lambda: len(_refusals(centre, "expired")) == len(topics))


async def _stopped(centre: Countryside) -> bool:
    return bool(centre.rows("SELECT 1 FROM terminal_receipt WHERE stage = 'stopped'"))


async def _is_expired(centre: Countryside, warning: str) -> bool:
    document = await centre.ask(f"/api/v1/warnings/{warning}")
    return bool(document["expires"] < SystemClock().now().isoformat() and document["ended_at"])


def _refusals(centre: Countryside, reason: str) -> list[tuple[object, ...]]:
    return centre.rows("SELECT terminal, n FROM terminal_receipt WHERE stage = 'failed' AND reason = :why", why=reason)


async def test_a_village_whose_command_was_overwritten_is_shown_with_its_terminals_own_word(tmp_path: Path) -> None:
    """The broker's owner can keep a warning from a village, but neither make it heard nor hide that it was not."""
    async with countryside(tmp_path, villages=(A, B)) as centre, centre.loudspeaker(A):
        await centre.until_terminal(TERMINAL_A, online=True)
        recorded = await _record(centre, life=timedelta(hours=2), codes=(A, B))

        async def direct_tries_are_over() -> bool:
            found = await centre.ask(f"/api/v1/warnings/{recorded.warning}/explain", recipient=TERMINAL_B)
            return [each["state"] for each in found["deliveries"]] == ["exhausted"]

        await centre.until(direct_tries_are_over)
        topic = region_command_topic(LIVE_ROOT, B, recorded.warning)
        await centre.publish(DAEMON_USER, topic, recorded.play, retain=True)
        async with centre.loudspeaker(B):
            await centre.until(lambda: _told(centre, recorded.warning, TERMINAL_B, "not_for_me"))
            (unheard,) = (await centre.ask(f"/api/v1/warnings/{recorded.warning}/coverage"))["unconfirmed"]
        assert (unheard["code"], unheard["reason"], unheard["detail"]) == (B, "refused", "not_for_me")


async def test_a_receipt_played_again_or_under_another_name_proves_nothing(recorded: Recorded) -> None:
    centre = recorded.centre
    second: list[str] = []

    async def release() -> None:
        sent = SystemClock().now().replace(microsecond=0)
        second.append(await centre.release(flood(codes=(A, B), sent=sent, identifier="QH-2")))

    receipt = await captured(centre, DAEMON_USER, receipt_topic(LIVE_ROOT, TERMINAL_A), trigger=release)
    await centre.until(lambda: _all_confirmed(centre, second[0]))
    before = _sounded(centre), _proof(centre), _kept(centre)
    await centre.publish(TERMINAL_A, receipt_topic(LIVE_ROOT, TERMINAL_A), receipt)
    await centre.publish(TERMINAL_B, receipt_topic(LIVE_ROOT, TERMINAL_B), receipt)
    for volume, one in ((41, TERMINAL_A), (42, TERMINAL_B)):  # What one terminal says is taken in order.
        await centre.publish(one, state_topic(LIVE_ROOT, one), state(one, volume=volume), retain=False)
        await centre.until_terminal(one, volume=volume)
    assert (_sounded(centre), _proof(centre), _kept(centre)) == before
    refused = [json.loads(line) for line in centre.log.splitlines() if "receipt_refused" in line]
    assert [each["terminal"] for each in refused] == [TERMINAL_B]


async def _all_confirmed(centre: Countryside, warning: str) -> bool:
    villages = (await centre.ask(f"/api/v1/warnings/{warning}"))["totals"]["villages"]
    return bool(villages["targeted"] and not villages["unconfirmed"])


def _kept(centre: Countryside) -> list[tuple[object, ...]]:
    return centre.rows("SELECT terminal, boot_id, n FROM terminal_receipt ORDER BY 1, 2, 3")
