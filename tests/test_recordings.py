"""What a message's commands say is decided once, in time, whatever becomes of the engine, the daemon and its settings (DESIGN §9)."""

import base64
import hashlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, text

from channels.mqtt.fate import Parcel
from channels.mqtt.parcels import Post
from tests.fakes.loudspeaker import TRUST
from tests.fakes.mqtt_daemon import live
from tests.fakes.speaking import Booth, speaking, tone_mp3
from tests.simulation.documents import cancel_of, document, flood
from tests.simulation.world import World
from tests.waiting import until
from warnd.channel import Text
from warnd.dispatch.recordings import ROOM_BYTES
from warnd.ledger import publications, recordings
from warnd.ledger.events import Stamp
from warnd.ledger.recordings import Spoken
from warnd.ledger.values import to_ms
from warnd.model.authority import Principal
from warnd.model.cap.alert import Alert, Resource
from warnd.model.loudspeaker import verify_command
from warnd.model.preview import Preview
from warnd.model.submission import Fate

Texts = tuple[Text, ...]


def said(world: World, *, verb: str = "play") -> list[Texts]:
    """Return what the commands carried, in the order in which they left."""
    return [each.texts for each in world.speakers.sent if each.message.verb == verb]


def first(world: World) -> Texts:
    return said(world)[0]


def has_audio(texts: Texts) -> list[bool]:
    return [each.audio is not None for each in texts]


async def again(world: World) -> None:
    """Let the broker have lost what it kept, so that every publication goes out once more."""
    before = len(world.speakers.sent)
    now_ms = to_ms(world.clock.now())
    assert await world.ledger.write(publications.reopen, channel="mqtt", drill=False, now_ms=now_ms)
    world.daemon.bell.ring()
    await until(lambda: len(world.speakers.sent) > before)


async def eventually(world: World, look: Callable[[], Awaitable[Any]]) -> Any:
    """Return the first true thing that a question to the store gives."""
    found: list[Any] = []

    async def true() -> bool:
        found.append(await look())
        return bool(found[-1])

    await world.until(true, within_s=15)
    return found[-1]


async def out(world: World) -> Texts:
    """Return what the first command carried, once its acceptance is recorded."""
    done = "SELECT 1 FROM leg WHERE publication_no IS NOT NULL AND channel = 'mqtt' AND state = 'done'"
    await eventually(world, lambda: world.query(done))
    return first(world)


async def test_every_command_of_a_message_carries_the_same_recordings_which_were_made_once(tmp_path: Path) -> None:
    booth = Booth(tmp_path)
    async with speaking(tmp_path / "home", booth.toml()) as world:
        await world.release(flood())
        await out(world)
        await again(world)
        zh, en = first(world)
        assert set(said(world)) == {(zh, en)}
        assert zh.audio is not None
        assert zh.audio.url == f"http://127.0.0.1/audio/{zh.audio.sha256}.mp3"
        assert zh.audio.duration_ms == 700
        assert booth.said() == [zh.text, en.text]
        media = await world.ledger.read(recordings.media, sha256=zh.audio.sha256)
        assert media is not None
        assert hashlib.sha256(media).hexdigest() == zh.audio.sha256


async def test_while_its_speech_is_made_a_warning_waits_and_nobody_else_does(tmp_path: Path) -> None:
    booth = Booth(tmp_path)
    booth.hangs()
    async with speaking(tmp_path / "home", booth.toml("wait_s = 30")) as world:
        await world.release(flood())
        await until(booth.said)
        await eventually(world, lambda: world.query("SELECT 1 FROM attempt WHERE reason = 'its speech is being made'"))
        assert said(world) == []
        assert await world.one("SELECT max(failures) FROM leg") == 0
        await until(lambda: len(booth.said()) == 2)
        for _ in range(2):
            booth.go()
        await until(lambda: said(world))
        assert has_audio(first(world)) == [True, True]


async def test_a_stop_waits_for_no_recording_and_carries_none(tmp_path: Path) -> None:
    booth = Booth(tmp_path)
    async with speaking(tmp_path / "home", booth.toml("wait_s = 30")) as world:
        alert = flood()
        await world.release(alert)
        await until(lambda: said(world))
        (booth.folder / "said").unlink()
        booth.hangs()
        await world.release(cancel_of(alert))
        await until(lambda: said(world, verb="stop"))
        assert has_audio(said(world, verb="stop")[0]) == [False, False]
        assert booth.said() == []


async def test_a_recording_that_is_late_is_left_out_for_good(tmp_path: Path) -> None:
    booth = Booth(tmp_path)
    booth.hangs()
    async with speaking(tmp_path / "home", booth.toml("wait_s = 0.3")) as world:
        await world.release(flood())
        await until(lambda: said(world))
        assert has_audio(first(world)) == [False, False]
        assert [each.text for each in first(world)][1].startswith("Qinghe Flood Office")
        for _ in range(2):
            booth.go()
        await eventually(world, lambda: world.query("SELECT 1 FROM recording"))
        await out(world)
        await again(world)
        assert set(said(world)) == {first(world)}


async def test_an_engine_that_fails_costs_no_time_and_is_told(tmp_path: Path) -> None:
    booth = Booth(tmp_path)
    booth.fails()
    async with speaking(tmp_path / "home", booth.toml("wait_s = 30")) as world:
        await world.release(flood())
        await until(lambda: said(world))
        assert has_audio(first(world)) == [False, False]
        assert world.daemon.registry.get_sample_value("warnd_recordings_total", {"outcome": "failed"}) == 2
        decided = await world.query("SELECT data FROM event WHERE kind = 'speech.decided'")
        assert len(decided) == 1
        assert '"sha256":null' in decided[0].data


async def test_a_daemon_killed_between_making_and_deciding_uses_what_it_had_made(tmp_path: Path) -> None:
    booth = Booth(tmp_path)
    async with speaking(tmp_path / "home", booth.toml()) as world:
        world.speakers.down = "the broker is away"
        await world.release(flood())

        async def both() -> bool:
            return bool(await world.one("SELECT count(*) = 2 FROM recording"))

        await eventually(world, both)
        assert await world.query("SELECT 1 FROM spoken") == []
        world.leave_behind(tmp_path / "left")
    async with speaking(tmp_path / "left", booth.toml(), again=True) as world:
        await until(lambda: said(world))
        assert has_audio(first(world)) == [True, True]
        assert len(booth.said()) == 2


async def test_after_a_restart_the_same_message_says_the_same_whatever_the_settings_are_now(tmp_path: Path) -> None:
    booth = Booth(tmp_path)
    async with speaking(tmp_path / "home", booth.toml()) as world:
        await world.release(flood())
        before = await out(world)
        world.leave_behind(tmp_path / "off")
        world.leave_behind(tmp_path / "moved")
    for folder, toml in (("off", ""), ("moved", booth.toml('audio_url = "https://elsewhere.example"'))):
        async with speaking(tmp_path / folder, toml, again=True) as world:
            await again(world)
            assert set(said(world)) == {before}


async def test_a_message_that_went_out_without_recordings_gets_none_when_they_are_switched_on(tmp_path: Path) -> None:
    async with speaking(tmp_path / "home", "") as world:
        await world.release(flood())
        before = await out(world)
        world.leave_behind(tmp_path / "on")
    booth = Booth(tmp_path)
    async with speaking(tmp_path / "on", booth.toml(), again=True) as world:
        await again(world)
        assert set(said(world)) == {before}


async def test_speech_is_made_in_review_and_served_only_once_it_is_released(tmp_path: Path) -> None:
    booth = Booth(tmp_path)
    author = Principal(name="author", scope="submit")
    async with speaking(tmp_path / "home", booth.toml() + "[web]\nsite = false\n") as world:
        submission = await world.submit(flood(), by=author)
        assert (submission.fate, submission.warning_id is None) == (Fate.IN_REVIEW, False)

        async def both() -> list[Any]:
            rows = await world.query("SELECT sha256 FROM recording ORDER BY made_at, sha256")
            return rows if len(rows) == 2 or len(booth.said()) == 2 else []

        rows = await eventually(world, both)
        transport = httpx.ASGITransport(app=world.daemon.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://daemon") as client:
            path = f"/audio/{rows[0].sha256}.mp3"
            assert (await client.get(path)).status_code == httpx.codes.NOT_FOUND
            assert submission.warning_id is not None
            await world.daemon.desk.approve(submission.warning_id, by=Principal(name="operator", scope="release"))
            await until(lambda: said(world))
            assert len(booth.said()) == 2
            media = await world.ledger.read(recordings.media, sha256=rows[0].sha256)
            assert media is not None
            await _served(client, path, media)


async def _served(client: httpx.AsyncClient, path: str, media: bytes) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.content) == (httpx.codes.OK, media)
    assert answer.headers["content-type"] == "audio/mpeg"
    assert "immutable" in answer.headers["cache-control"]
    head = await client.head(path)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(media)))
    known = await client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (known.status_code, known.content) == (httpx.codes.NOT_MODIFIED, b"")
    for wrong in (f"/audio/{'0' * 64}.mp3", "/audio/x.mp3", "/audio/", path.upper()):
        assert (await client.get(wrong)).status_code == httpx.codes.NOT_FOUND
    assert (await client.post(path)).status_code == httpx.codes.METHOD_NOT_ALLOWED


async def test_after_the_cancel_a_recording_is_served_no_more(tmp_path: Path) -> None:
    booth = Booth(tmp_path)
    async with speaking(tmp_path / "home", booth.toml()) as world:
        alert = flood()
        await world.release(alert)
        await until(lambda: said(world))
        audio = first(world)[0].audio
        assert audio is not None
        await world.release(cancel_of(alert))
        transport = httpx.ASGITransport(app=world.daemon.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://daemon") as client:
            answer = await client.get(f"/audio/{audio.sha256}.mp3")
            assert answer.status_code == httpx.codes.NOT_FOUND


def tibetan(alert: Alert, media: bytes) -> Alert:
    """Return a warning with a recording in a language that nothing here speaks."""
    carried = Resource(description="", mime_type="audio/mpeg", deref_uri=base64.b64encode(media).decode())
    extra = replace(alert.infos[0], language="bo", headline="ཆུ་ལོག", instruction="འགྲོ།", resources=(carried,))
    return replace(alert, infos=(*alert.infos, extra))


async def test_an_uploaded_recording_is_played_first_and_its_language_is_not_missing(tmp_path: Path) -> None:
    booth = Booth(tmp_path)
    media = tone_mp3(900)
    async with speaking(tmp_path / "home", booth.toml('also = ["bo"]')) as world:
        assert (await preview(world, flood())).missing_languages == ("bo",)
        seen = await preview(world, tibetan(flood(), media))
        assert seen.missing_languages == ()
        assert ("mqtt", "bo") in {(each.channel, each.lang) for each in seen.texts}
        assert (await preview(world, tibetan(flood(), b"nonsense"))).missing_languages == ("bo",)
        await world.release(tibetan(flood(), media))
        await until(lambda: said(world))
        assert [each.lang for each in first(world)] == ["bo", "zh", "en"]
        assert has_audio(first(world)) == [True, True, True]
        audio = first(world)[0].audio
        assert audio is not None
        assert audio.sha256 == hashlib.sha256(media).hexdigest()


async def preview(world: World, alert: Alert) -> Preview:
    seen = await world.daemon.desk.preview(document(alert), by=Principal(name="operator", scope="release"))
    assert isinstance(seen, Preview)
    return seen


async def test_an_uploaded_recording_that_cannot_be_played_leaves_the_others_whole(tmp_path: Path) -> None:
    booth = Booth(tmp_path)
    async with speaking(tmp_path / "home", booth.toml()) as world:
        await world.release(tibetan(flood(), b"nonsense"))
        await until(lambda: said(world))
        assert [each.lang for each in first(world)] == ["zh", "en"]
        assert has_audio(first(world)) == [True, True]


@pytest.mark.parametrize(
    ("room_bytes", "spoken"),
    [
        (ROOM_BYTES, [("bo", True), ("zh", True), ("en", True)]),
        (9_400, [("bo", True), ("zh", True), ("en", False)]),
        (8_000, [("zh", False), ("en", False)]),
    ],
)
async def test_texts_that_leave_no_room_in_a_signed_command_go_without_recordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room_bytes: int, spoken: list[tuple[str, bool]]
) -> None:
    """16 KiB bound a command (DESIGN §9); a recording must never be the reason why a warning cannot be sent."""
    monkeypatch.setattr("warnd.dispatch.recordings.ROOM_BYTES", room_bytes)
    booth = Booth(tmp_path)
    long = flood()
    infos = tuple(
        replace(info, instruction="请立即转移到高处安全地点。" * 115, headline="洪" * 300, event="水" * 300)
        for info in long.infos
    )
    async with speaking(tmp_path / "home", booth.toml()) as world:
        await world.release(tibetan(replace(long, infos=infos), tone_mp3(500)))
        await until(lambda: said(world))
        assert [(each.lang, each.audio is not None) for each in first(world)] == spoken
        post = Post(live("127.0.0.1", 1), world.clock.now, random.Random(1))
        parcel = post.parcel(world.speakers.sent[0])
        assert isinstance(parcel, Parcel)
        command = verify_command(parcel.payload, TRUST)
        assert [(each.lang, each.audio is not None) for each in command.speech] == spoken


async def test_old_recordings_are_forgotten_and_those_in_force_never(tmp_path: Path) -> None:
    booth = Booth(tmp_path)
    async with speaking(tmp_path / "home", booth.toml()) as world:
        await world.release(flood())
        await until(lambda: said(world))
        kept = {each.audio.sha256 for each in first(world) if each.audio is not None}

        async def keep(name: str, size: int) -> None:
            await world.ledger.write(
                recordings.keep,
                made_of=name,
                sha256=name,
                media=bytes(size),
                duration_ms=1,
                most_bytes=20_000,
                stamp=Stamp(to_ms(world.clock.now()), "test"),
            )

        for number in range(4):
            await keep(f"old-{number}", 6_000)
        there = {row.sha256 for row in await world.query("SELECT sha256 FROM recording")}
        assert kept < there
        assert "old-3" in there
        assert "old-0" not in there


async def test_what_was_decided_first_stands(tmp_path: Path) -> None:
    async with speaking(tmp_path / "home", "") as world:
        await world.release(flood())
        number = await world.one("SELECT no FROM message")
        stamp = Stamp(to_ms(world.clock.now()), "test")

        def decide(conn: Connection, words: str) -> Sequence[Spoken]:
            speech = [Spoken("zh", words)]
            return recordings.decide(
                conn, message_no=number, purpose="warning", speech=speech, bare=speech, stamp=stamp
            )

        assert await world.ledger.write(decide, "first") == await world.ledger.write(decide, "second")
        assert (
            await world.ledger.read(lambda conn: conn.execute(text("SELECT text FROM spoken")).scalar_one()) == "first"
        )
