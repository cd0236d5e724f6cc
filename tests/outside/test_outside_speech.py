"""Recordings in commands, as a loudspeaker meets them; and drills by mail, which need the drill link beside the live one."""

import shutil
from collections.abc import Iterator
from hashlib import sha256

import httpx
import pytest

from tests.outside import county
from tests.outside.broker import Broker, needs_mosquitto
from tests.outside.cap import alert
from tests.outside.county import Village
from tests.outside.house import Api, House, copy_of, serving, until
from tests.outside.mailbox import Mailbox, mailbox
from tests.outside.plans import QUICK
from tests.outside.radio import Ear, Heard
from tests.outside.wire import LIVE

pytestmark = [
    needs_mosquitto,
    pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed (apt install espeak-ng)"),
]


@pytest.fixture(scope="module")
def box() -> Iterator[Mailbox]:
    with mailbox() as one:
        yield one


@pytest.fixture(scope="module")
def studio(
    tmp_path_factory: pytest.TempPathFactory, plain: House, broker: Broker, box: Mailbox, untouched: Iterator[Village]
) -> Iterator[tuple[House, Village]]:
    """A daemon with [speech] and [email], and a village whose officer has mail."""
    house = copy_of(plain, tmp_path_factory.mktemp("studio"), broker=broker)
    plans = house.folder / "plans.toml"
    plans.write_text(plans.read_text("utf-8").replace('channels = ["sms"]', 'channels = ["sms", "email"]'), "utf-8")
    more = f'[speech]\n[email]\nhost = "127.0.0.1"\nport = {box.port}\nstart_tls = false\nsender = "w@qinghe.example"\n'
    house.config.write_text(house.config.read_text("utf-8") + more, "utf-8")
    place = next(untouched)
    row = f"mailed,person,王明,{place.code},information_officer,zh,,wang@village.example,,,"
    path = county.write(house.folder, "mailed.csv", f"{county.RECIPIENTS_HEAD}\n{row}\n")
    assert house.warnd("import", "recipients", path).returncode == 0
    with serving(house):
        yield house, place


@pytest.fixture(scope="module")
def api(studio: tuple[House, Village]) -> Api:
    return studio[0].api("release")


def play_on(watcher: Ear, topic: str) -> Heard:
    return watcher.until(lambda heard: heard.topic == topic and heard.payload, topic)


def test_recordings_can_be_fetched_and_are_what_the_command_says(
    api: Api, studio: tuple[House, Village], watcher: Ear, village: Village
) -> None:
    house, _ = studio
    made = api.release(alert([village.code], english=True))
    heard = play_on(watcher, f"{LIVE}/region/{village.code}/command/{made['chain_id']}")
    assert len(heard.payload) <= 16 * 1024
    assert (heard.retain, heard.qos) == (True, 1)
    speech = heard.command()["speech"]
    assert [piece["lang"][:2] for piece in speech] == ["zh", "en"]
    for piece in speech:
        assert set(piece) == {"lang", "text", "audio"}
        audio = piece["audio"]
        assert set(audio) == {"url", "sha256", "duration_ms"}
        assert audio["url"].startswith(f"{house.url}/")
        assert type(audio["duration_ms"]) is int
        assert audio["duration_ms"] > 1000
        answer = httpx.get(audio["url"], timeout=10, trust_env=False)
        assert answer.status_code == 200, "no redirect, no token"
        assert sha256(answer.content).hexdigest() == audio["sha256"]
        assert len(answer.content) <= 5 * 1024 * 1024


def test_a_retry_says_the_very_same(api: Api, watcher: Ear, village: Village) -> None:
    made = api.release(alert([village.code], event=QUICK))
    first = play_on(watcher, f"{LIVE}/region/{village.code}/command/{made['chain_id']}").command()
    direct = f"{LIVE}/terminal/{village.terminal}/command"
    again = watcher.until(
        lambda heard: heard.topic == direct and heard.command()["message_id"] == made["id"], "a retry"
    ).command()
    changing = {"nonce", "to", "issued_at", "expires_at", "ttl_s", "kid"}
    assert {name: value for name, value in again.items() if name not in changing} == {
        name: value for name, value in first.items() if name not in changing
    }


def test_a_drill_by_mail_begins_with_its_mark(api: Api, studio: tuple[House, Village], box: Mailbox) -> None:
    _, place = studio
    api.release(alert([place.code], status="Exercise"))
    (mail,) = until(lambda: box.to("wang@village.example"), "the drill's mail")
    assert str(mail.parsed["Subject"]).startswith("【演练】")
    assert mail.part("text/plain").lstrip().startswith("【演练】")
    assert "演练" in mail.part("text/html")
