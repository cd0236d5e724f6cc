"""Web Push: only the browser can read it, only known services are called, and every status of theirs means something."""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from py_vapid import Vapid02

from channels.posting import Meaning
from channels.push import PushChannel, build
from channels.push.parcel import PLAIN_MAX, plain
from channels.push.statuses import STATUSES
from tests.fakes.loudspeaker import LIVE_KEY
from tests.fakes.push import CONTACT, Browser, push_toml
from tests.fakes.receiver import Receiver, receiver
from tests.fakes.running import Send, context, running
from warnd.channel import Accepted, Failed, Message, Outcome, Outgoing, Text, Unknown
from warnd.clock import SystemClock
from warnd.model.level import Level
from warnd.model.loudspeaker import KeyFileError, private_key_pem
from warnd.settings import SettingsError, load

CLOCK = SystemClock()
WORDS = Text("zh", "柳河镇。请立即转移到高处。", subject="洪水红色预警")


def _message(**changes: Any) -> Message:
    now = CLOCK.now()
    values: dict[str, Any] = {
        "id": "m2",
        "chain_id": "m1",
        "seq": 2,
        "kind": "warning",
        "drill": False,
        "status": "Actual",
        "level": Level.RED,
        "event": "洪水",
        "headline": "洪水红色预警",
        "area": "柳河镇",
        "issued_at": now,
        "expires_at": now + timedelta(hours=1),
    }
    return Message(**(values | changes))


def _channel(folder: Path, toml: str) -> PushChannel:
    (folder / "warnd.toml").write_text(toml)
    made = build(load(folder / "warnd.toml", {}), context(CLOCK))
    assert made is not None
    return made


@pytest.fixture
async def service() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        made.answer(201)
        yield made


@pytest.fixture
async def send(tmp_path: Path) -> AsyncIterator[Send]:
    async with running(_channel(tmp_path, push_toml(tmp_path))) as sending:
        yield sending


def _to(browser: Browser, message: Message | None = None, **changes: Any) -> Outgoing:
    return replace(Outgoing("a-1-1", message or _message(), None, browser.subscription.address, (WORDS,)), **changes)


async def test_only_the_browser_reads_what_it_is_sent(send: Send, service: Receiver) -> None:
    browser = Browser(f"{service.url}/b/1")
    assert await send(_to(browser)) == Accepted()
    (one,) = service.taken
    assert browser.read(one) == {
        "title": "洪水红色预警",
        "body": "柳河镇。请立即转移到高处。",
        "lang": "zh",
        "tag": "m1",
        "url": "/w/m2",
    }
    with pytest.raises(Exception, match="Decryption"):
        Browser(browser.endpoint).read(one)


async def test_it_is_kept_for_the_warnings_life_urgently_and_one_per_chain(send: Send, service: Receiver) -> None:
    await send(_to(Browser(f"{service.url}/b/1")))
    sent = service.taken[0].headers
    assert 3590 <= int(sent["TTL"]) <= 3600
    assert (sent["Urgency"], sent["Content-Encoding"]) == ("high", "aes128gcm")
    assert sent["Topic"] == urlsafe_b64encode(hashlib.sha256(b"m1").digest()).decode()[:32]
    assert not {"=", "+", "/"} & set(sent["Topic"])


@pytest.mark.parametrize(("life", "ttl"), [(timedelta(days=400), 2_419_200), (timedelta(seconds=-1), 0)])
async def test_the_life_asked_for_is_one_that_services_take(
    send: Send, service: Receiver, life: timedelta, ttl: int
) -> None:
    await send(_to(Browser(f"{service.url}/b/1"), _message(expires_at=CLOCK.now() + life)))
    assert service.taken[0].headers["TTL"] == str(ttl)


async def test_each_service_is_told_who_we_are(send: Send, service: Receiver) -> None:
    for number in range(2):
        await send(_to(Browser(f"{service.url}/b/{number}")))
    first, second = (one.headers["Authorization"] for one in service.taken)
    assert first == second
    assert Vapid02.verify(first)
    claims = json.loads(urlsafe_b64decode(first.split("t=")[1].split(".")[1] + "=="))
    assert (claims["aud"], claims["sub"]) == (service.url, CONTACT)
    assert 0 < claims["exp"] - CLOCK.now().timestamp() <= 24 * 3600


def _expected(meaning: Meaning, reason: str) -> Outcome:
    outcomes: dict[str, Outcome] = {
        "accepted": Accepted(),
        "gone": Failed(reason, retry="permanent", gone=True),
        "permanent": Failed(reason, retry="permanent"),
        "transient": Failed(reason),
        "throttled": Failed(reason),
        "ambiguous": Unknown(reason),
    }
    return outcomes[meaning]


async def test_every_status_is_answered_as_its_table_says(send: Send, service: Receiver) -> None:
    for status, meaning in STATUSES.items():
        service.answer(status, "why")
        assert await send(_to(Browser(f"{service.url}/b/1"))) == _expected(meaning, f"{status} why"), status


@pytest.mark.parametrize("status", [299, 302, 418, 599])
async def test_a_status_that_nobody_published_is_tried_again_and_never_taken_for_success(
    send: Send, service: Receiver, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    service.answer(status, "what", Location=f"{service.url}/elsewhere")
    assert await send(_to(Browser(f"{service.url}/b/1"))) == Failed(f"{status} what")
    assert len(service.asked) == 1
    assert "push_status_unknown" in capsys.readouterr().out


async def test_a_service_that_asks_to_wait_is_left_in_peace_and_others_are_not(send: Send, service: Receiver) -> None:
    async with receiver() as other:
        service.answer(429, "slowly", Retry_After="600")
        assert await send(_to(Browser(f"{service.url}/b/1"))) == Failed("429 slowly", retry_after_s=600.0)
        second = await send(_to(Browser(f"{service.url}/b/2")))
        assert isinstance(second, Failed)
        assert second.retry == "transient"
        assert second.retry_after_s == pytest.approx(600, abs=10)
        assert len(service.asked) == 1
        assert await send(_to(Browser(f"{other.url}/b/3"))) == Accepted()


async def test_silence_may_have_arrived(send: Send, service: Receiver) -> None:
    service.hang()
    assert await send(_to(Browser(f"{service.url}/b/1"))) == Unknown("no answer within 1 s")


@pytest.mark.parametrize(
    ("address", "cause"),
    [
        ("{}", "no address of a subscription"),
        ("rubbish", "no address of a subscription"),
        (Browser("http://10.0.0.1/x").subscription.address, "not among push.services"),
        (Browser("https://fcm.googleapis.com.example.org/x").subscription.address, "not among push.services"),
    ],
)
async def test_what_is_no_subscription_of_a_known_service_is_never_called(send: Send, address: str, cause: str) -> None:
    outcome = await send(replace(_to(Browser("http://127.0.0.1/x")), address=address))
    assert isinstance(outcome, Failed)
    assert outcome.retry == "permanent"
    assert cause in outcome.reason


async def test_broken_keys_spoil_only_their_own_try(send: Send, service: Receiver) -> None:
    sound = Browser(f"{service.url}/b/1").subscription
    for broken in (replace(sound, p256dh="AAAA"), replace(sound, p256dh="BA" + "A" * 85), replace(sound, p256dh="")):
        outcome = await send(replace(_to(Browser(service.url)), address=broken.address))
        assert isinstance(outcome, Failed)
        assert (outcome.retry, outcome.reason[:18]) == ("permanent", "Its keys are none:")
    assert service.asked == []


def test_what_a_browser_gets_fits_whatever_the_words_are() -> None:
    long = Text("en", '"\n' * 1_000, subject="RED flood warning")
    made = plain(replace(_to(Browser("https://x")), texts=(long,)))
    assert len(made) <= PLAIN_MAX
    assert json.loads(made)["body"].endswith("…")


async def test_a_probe_says_what_was_looked_at(tmp_path: Path) -> None:
    (found,) = await _channel(tmp_path, push_toml(tmp_path)).probe()
    assert found.wrong is None
    assert "no service was asked" in found.told


@pytest.mark.parametrize(
    ("pem", "cause"),
    [
        (b"rubbish", "is no PEM private key"),
        (
            private_key_pem(LIVE_KEY),
            "holds no P-256 key",
        ),
    ],
)
def test_a_key_that_cannot_be_used_is_named_with_what_to_do(tmp_path: Path, pem: bytes, cause: str) -> None:
    toml = push_toml(tmp_path)
    (tmp_path / "vapid.pem").write_bytes(pem)
    with pytest.raises(KeyFileError, match=cause) as caught:
        _channel(tmp_path, toml)
    assert "openssl genpkey" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ('contact = "it@county.example"', "push services want an address"),
        ('services = ["https://push.example.org"]', "is no name of a host"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(tmp_path: Path, line: str, cause: str) -> None:
    key = line.split(" ", maxsplit=1)[0]
    toml = "\n".join(each for each in push_toml(tmp_path).splitlines() if not each.startswith(key)) + f"\n{line}\n"
    with pytest.raises(SettingsError, match=cause):
        _channel(tmp_path, toml)
