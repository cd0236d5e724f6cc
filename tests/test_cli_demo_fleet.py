"""The demonstration's loudspeakers are the reference terminal on a real broker, and each plays its part."""

import asyncio
from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import aiomqtt

from tests.fakes.broker import needs_mosquitto
from tests.fakes.loudspeaker import PLAY
from warnd.cli.demo.broker import running_broker
from warnd.cli.demo.cast import Speaker
from warnd.cli.demo.county import COUNTY
from warnd.cli.demo.fleet import Fleet
from warnd.cli.demo.people import speaker_ids
from warnd.cli.demo.stage import DAEMON_USER, Stage, set_stage
from warnd.clock import SystemClock
from warnd.model.loudspeaker import (
    LIVE_ROOT,
    Speech,
    public_bytes,
    receipt_topic,
    region_command_topic,
    sign_command,
    verify_receipt,
)

_EXPECTED = {
    Speaker.FINE: {("played", None, "ok")},
    Speaker.LATE: {("played", None, "ok")},
    Speaker.DARK: set[tuple[str, str | None, str]](),
    Speaker.BROKEN: {("played", "amplifier", "fault")},
    Speaker.STRANGER: {("failed", "unknown_key", "ok")},
    Speaker.MUTE: {("failed", "no_voice", "ok")},
}


class Hurried:
    """A clock on which sounds are over in a hundredth of their time; the wall clock stays true."""

    def __init__(self) -> None:
        self._true = SystemClock()

    def now(self) -> datetime:
        return self._true.now()

    def monotonic(self) -> float:
        return self._true.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._true.sleep(seconds / 100)


@needs_mosquitto
async def test_each_loudspeaker_plays_its_part(tmp_path: Path) -> None:
    stage = set_stage(tmp_path, http_port=1)
    kinds = {
        one: fault
        for code, ids in speaker_ids(stage.cast).items()
        for one, fault in zip(ids, stage.cast.parts[code].speakers, strict=True)
    }
    async with running_broker(tmp_path / "mqtt", stage.passwords, kind="mosquitto") as broker:
        fleet = Fleet(stage, mqtt_port=broker.port, clock=Hurried())
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            running = group.create_task(fleet.run())
            fleet.power_returns()
            ends = await _play_and_listen(stage, broker.port, awaited={one for one in kinds if _EXPECTED[kinds[one]]})
            running.cancel()
    for one, fault in kinds.items():
        assert ends[one] == _EXPECTED[fault], f"{one} is {fault}"


async def _play_and_listen(
    stage: Stage, port: int, *, awaited: set[str]
) -> dict[str, set[tuple[str, str | None, str]]]:
    """Publish one play to the county and return, per loudspeaker, how it ended, once all awaited ones have ended."""
    ends: dict[str, set[tuple[str, str | None, str]]] = defaultdict(set)
    password = stage.passwords[DAEMON_USER]
    version = aiomqtt.ProtocolVersion.V5
    async with aiomqtt.Client("127.0.0.1", port, username=DAEMON_USER, password=password, protocol=version) as client:
        await client.subscribe(receipt_topic(LIVE_ROOT, "+"), qos=1)
        await client.publish(
            region_command_topic(LIVE_ROOT, COUNTY, PLAY.chain_id or ""), _play(stage), qos=1, retain=True
        )
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            one = str(message.topic).split("/")[3]
            receipt = verify_receipt(message.payload, str(message.topic), public_bytes(stage.speaker_keys[one]))
            if receipt.stage in ("played", "failed"):
                ends[one].add((str(receipt.stage), receipt.reason and str(receipt.reason), str(receipt.amplifier)))
            if awaited <= set(ends):
                break
    return ends


def _play(stage: Stage) -> str:
    now = SystemClock().now()
    command = replace(
        PLAY,
        to=f"region:{COUNTY}",
        speech=(Speech("zh-CN", "洪水红色预警。"), Speech("en", "Red flood warning.")),
        issued_at=now,
        expires_at=now + timedelta(hours=1),
        ttl_s=3600,
    )
    return sign_command(command, stage.daemon_key)
