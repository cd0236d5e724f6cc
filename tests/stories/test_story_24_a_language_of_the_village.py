"""Scenario 24: a villager who reads no Chinese hears the recording in the village's language first; a missing one is named before."""

import asyncio
import base64
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.broker import Broker, needs_mosquitto, running_broker
from tests.fakes.loudspeaker import LIVE_KEY, TERMINAL, TERMINAL_KEY
from tests.fakes.mqtt import PASSWORD, USERS, MosquittoSide
from tests.fakes.served import Served, serving
from tests.fakes.speaking import tone_mp3, tone_wav
from tests.ports import free_port
from tests.simulation.county import VILLAGES, found, recipients_csv
from tests.simulation.documents import document, flood
from tests.stores import store_url
from tests.waiting import until
from warnd.clock import SystemClock
from warnd.ledger.store import open_engine
from warnd.ledger.tokens import create, hashed
from warnd.model.cap import Alert
from warnd.model.cap.alert import Resource
from warnd.model.loudspeaker import (
    LIVE_ROOT,
    Amplifier,
    Lineage,
    TrustedKey,
    public_bytes,
    public_key_text,
    trust_of,
)
from warnd.terminal import Access, Place, Speaker, Terminal, mp3
from warnd.terminal.recordings import Recordings
from warnd.terminal.voice import Espeak
from warnd.terminal.wave import Clip

pytestmark = [
    needs_mosquitto,
    pytest.mark.skipif(not mp3.installed(), reason="mpg123 is not installed (apt install mpg123)"),
]

_TOKEN = "story-token"
_RECORDED_MS, _STOCK_MS, _CHIME_MS = 900, 1500, 1200
_PADDING_MS = 120
_INDEX = """
[[recording]]
lang = "bo"
file = "flood.wav"
text = "ཆུ་ལོག་ཉེན་བརྡ།"
hazards = ["洪水"]
levels = ["red"]
"""


@dataclass
class Village:
    """Those who stand below the loudspeaker: what they heard, in order."""

    heard: list[Clip] = field(default_factory=list)

    async def sound(self, clip: Clip, volume: int) -> None:
        assert volume
        assert len(clip.wave) > 44
        self.heard.append(clip)
        await asyncio.sleep(0)

    def amplifier(self) -> Amplifier:
        return Amplifier.OK


def centre(folder: Path, broker: Broker, port: int) -> Path:
    """Write a centre whose engine speaks Chinese and English and whose people have recorded Tibetan; return its settings."""
    (folder / "voices").mkdir()
    (folder / "voices" / "index.toml").write_text(_INDEX, "utf-8")
    (folder / "voices" / "flood.wav").write_bytes(tone_wav(_STOCK_MS))
    config = folder / "warnd.toml"
    config.write_text(
        f"""
node.languages = ["zh", "en"]
store.url = "{store_url(folder)}"
http.listen = "127.0.0.1:{port}"
speech = {{ recordings_dir = "voices", also = ["bo"] }}
{MosquittoSide(broker, folder).toml}
""",
        "utf-8",
    )
    url = store_url(folder)
    loudspeaker = f"{TERMINAL},terminal,喇叭,{VILLAGES[0]},,,,,,,{public_key_text(TERMINAL_KEY)}\n"
    people = recipients_csv(households=0, without_terminal=VILLAGES) + loudspeaker
    found(url, folder, clock=SystemClock(), recipients=people)
    engine = open_engine(url)
    with engine.begin() as conn:
        create(conn, token_hash=hashed(_TOKEN), scope="release", senders=(), region=None, now=SystemClock().now())
    engine.dispose()
    return config


def terminal(folder: Path, broker: Broker, village: Village) -> Terminal:
    """Return the reference terminal at the village, with real sound as far as the sound card."""
    clock = SystemClock()
    recordings = Recordings(folder / "audio", hosts=["127.0.0.1"], clock=clock)
    trust = trust_of([TrustedKey(public_bytes(LIVE_KEY), root=LIVE_ROOT, regions=("519999",), not_after=None)])
    return Terminal(
        Place(
            terminal=TERMINAL, lineage=Lineage.parse(VILLAGES[0]), key=TERMINAL_KEY, trust=trust, state=folder / "state"
        ),
        speaker=Speaker(Espeak(), village, recordings=recordings),
        clock=clock,
        chance=random.Random(1),
        live=Access(broker.host, broker.port, username=TERMINAL, password=PASSWORD),
    )


@asynccontextmanager
async def listening(folder: Path, broker: Broker) -> AsyncIterator[Village]:
    village = Village()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(terminal(folder, broker, village).run())
        yield village
        task.cancel()


async def post(served: Served, path: str, alert: Alert) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": "application/cap+xml"}
    async with httpx.AsyncClient(timeout=10.0) as client:
        answer = await client.post(f"{served.url}{path}", content=document(alert), headers=headers)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def evidence(served: Served, warning_id: str) -> str | None:
    headers = {"Authorization": f"Bearer {_TOKEN}"}
    path = f"/api/v1/warnings/{warning_id}/deliveries?recipient={TERMINAL}"
    async with httpx.AsyncClient(timeout=10.0) as client:
        listed = (await client.get(f"{served.url}{path}", headers=headers)).json()["deliveries"]
    return listed[0]["evidence"] if listed else None


async def presented(served: Served, warning_id: str) -> None:
    """Wait until the loudspeaker's own receipts have proved a whole playback."""
    async with asyncio.timeout(20):
        while await evidence(served, warning_id) != "presented":
            continue  # The daemon's answer takes its time.


def spoken(alert: Alert) -> Alert:
    """Return a warning to which its author attached a recording in Tibetan."""
    sound = base64.b64encode(tone_mp3(_RECORDED_MS)).decode()
    carried = Resource(description="བོད་སྐད།", mime_type="audio/mpeg", deref_uri=sound)
    info = replace(alert.infos[0], language="bo-CN", headline="ཆུ་ལོག", instruction="འགྲོ།", resources=(carried,))
    return replace(alert, infos=(*alert.infos, info))


def lasts(clip: Clip, length_ms: int) -> bool:
    """Say whether a clip is as long as a sound, give or take the silence that MP3 puts round it."""
    return 0 <= clip.duration_ms - length_ms < _PADDING_MS


async def test_the_recording_in_the_villages_language_plays_first_and_a_missing_one_is_named_before_the_release(
    tmp_path: Path,
) -> None:
    now = SystemClock().now().replace(microsecond=0)
    with running_broker(tmp_path, users=USERS) as broker:
        port = free_port()
        config = await asyncio.to_thread(centre, tmp_path, broker, port)
        async with serving(config, port=port, log=tmp_path / "log") as served, listening(tmp_path, broker) as village:
            orange = flood(level="orange", sent=now)
            assert (await post(served, "/api/v1/warnings/preview", orange))["missing_languages"] == ["bo"]
            assert (await post(served, "/api/v1/warnings/preview", spoken(orange)))["missing_languages"] == []
            assert (await post(served, "/api/v1/warnings/preview", flood(sent=now)))["missing_languages"] == []

            attached = await post(served, "/api/v1/warnings", spoken(orange))
            await presented(served, attached["id"])
            await until(lambda: len(village.heard) >= 4)
            chime, recorded, zh, en = village.heard[:4]
            assert chime.duration_ms == _CHIME_MS
            assert lasts(recorded, _RECORDED_MS)
            assert min(zh.duration_ms, en.duration_ms) > 5_000

            stocked = await post(served, "/api/v1/warnings", replace(flood(sent=now), identifier="QH-2"))
            await presented(served, stocked["id"])
            await until(lambda: any(lasts(clip, _STOCK_MS) for clip in village.heard))
            place = next(place for place, clip in enumerate(village.heard) if lasts(clip, _STOCK_MS))
            assert village.heard[place - 1].duration_ms == _CHIME_MS
        log = (tmp_path / "log").read_text("utf-8")
        assert "speech_without_recording" not in log
