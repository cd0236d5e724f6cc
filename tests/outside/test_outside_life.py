"""Starting, stopping, dying and coming back; living without drills, without a broker."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.outside import county
from tests.outside.broker import Broker, needs_mosquitto, running_broker
from tests.outside.cap import alert
from tests.outside.county import Village
from tests.outside.house import House, copy_of, serving, until
from tests.outside.plans import QUICK
from tests.outside.radio import Ear, loudspeaker, watching

pytestmark = needs_mosquitto


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of these tests' own: their warnings would be heard in the others' villages."""
    with running_broker(tmp_path_factory.mktemp("broker"), ["warnd", *county.terminal_ids()]) as running:
        yield running


@pytest.fixture(scope="module")
def own_watcher(own_broker: Broker) -> Iterator[Ear]:
    with watching(own_broker) as ear:
        yield ear


@pytest.fixture
def own(plain: House, tmp_path: Path, own_broker: Broker) -> House:
    """A house of one's own, without a link for drills."""
    return copy_of(plain, tmp_path, broker=own_broker, drill=False)


@pytest.fixture
def quiet(plain: House, tmp_path: Path) -> House:
    """A house with text messages only."""
    return copy_of(plain, tmp_path)


def out_of(house: House, message_id: str) -> list[dict[str, object]]:
    letters = [json.loads(path.read_text("utf-8")) for path in (house.spool / "out").glob("[!.]*.json")]
    return [letter for letter in letters if letter["message_id"] == message_id]


def test_drills_are_refused_with_that_reason_where_no_drill_link_is_set(own: House, village: Village) -> None:
    with serving(own):
        answer = own.api().post(alert([village.code], status="Exercise"))
        assert answer.status_code == 422, answer.text
        (reason,) = [each for each in answer.json()["reasons"] if each["verdict"] == "refuse"]
        assert "drill" in str(reason)
        assert own.texts(village.officer_phone) == []
        assert own.api().post(alert([village.code])).status_code == 201


def test_term_ends_within_ten_seconds_and_nothing_is_lost(quiet: House) -> None:
    quiet.environment["WARND_SMS__RATE_PER_S"] = "60"
    with serving(quiet):
        made = quiet.api().release(alert(["770101101"]))
        until(lambda: len(out_of(quiet, made["id"])) > 10, "texts begin to leave")
        assert quiet.stop() < 10
        written = len(out_of(quiet, made["id"]))
        assert written < county.VILLAGES + 1
        quiet.environment.clear()
        quiet.start()
        api = quiet.api()
        assert api.warning(made["id"])["totals"]["evidence"]["accepted"] >= written, "what was in flight is recorded"
        until(
            lambda: api.warning(made["id"])["totals"]["evidence"]["accepted"] == county.VILLAGES + 1,
            "every officer and the leader",
            timeout_s=30,
        )
        recipients = [letter["recipient"] for letter in out_of(quiet, made["id"])]
        assert len(recipients) == len(set(recipients)), "nobody twice"


def test_a_killed_daemon_goes_on_where_it_was(
    own: House, village: Village, own_broker: Broker, own_watcher: Ear
) -> None:
    with serving(own):
        made = own.api().release(alert(["770101101"], event=QUICK, level="red"))
        until(lambda: len(out_of(own, made["id"])) > 5, "texts begin to leave")
        own.kill()
        own.start()
        api = own.api()
        assert api.warning(made["id"])["state"] == "dispatching"
        until(
            lambda: len({each["recipient"] for each in out_of(own, made["id"])}) >= county.VILLAGES,
            "everybody",
            timeout_s=30,
        )
        own_watcher.until(lambda heard: made["chain_id"] in heard.topic and "/region/" in heard.topic, "the play")
        with loudspeaker(own_broker, village.terminal, ["770101101000", village.code]) as speaker:
            speaker.play(speaker.until_command("play", made["id"], direct=False))
            api.until_evidence(made["id"], village.terminal, "presented")
        texts = own.texts(village.officer_phone)
        assert all("重发" in each["text"] for each in texts[1:])
        assert own.warnd("audit", "verify").returncode == 0
        own.api().http.post(f"/api/v1/warnings/{made['id']}/cancel", json={"kind": "retract", "reason": "end"})


def test_what_came_while_nobody_listened_is_taken(own: House, village: Village, own_broker: Broker) -> None:
    with serving(own), loudspeaker(own_broker, village.terminal, [village.code]) as speaker:
        made = own.api().release(alert([village.code]))
        play = speaker.until_command("play", made["id"])
        text = own.text(village.officer_phone, made["id"])["text"]
        own.api().until_evidence(made["id"], village.officer, "accepted")
        second = own.warnd("serve", WARND_HTTP__LISTEN="127.0.0.1:0")
        assert second.returncode in {1, 3}, "one daemon on one store"
        assert "Traceback" not in second.stderr
        own.kill()
        speaker.play(play)
        own.answer(village.officer_phone, text[-3])
        own.start()
        own.api().until_evidence(made["id"], village.terminal, "presented")
        own.api().until_evidence(made["id"], village.officer, "acknowledged")
        speaker.until_ack(3)
        until(lambda: own.api().warning(made["id"])["totals"]["villages"]["confirmed"] == 1, "confirmed")


def test_a_broken_broker_holds_up_nobody_else(plain: House, tmp_path: Path, village: Village) -> None:
    house = copy_of(plain, tmp_path, broker=Broker(tmp_path, 1, 1))
    house.start(ready=False)
    try:
        until(lambda: house.log() and alive(house), "the API answers")
        made = house.api().release(alert([village.code]))
        house.text(village.officer_phone, made["id"])
        assert house.api(None).http.get("/healthz").status_code == 200
        assert house.api(None).http.get("/readyz").status_code in {200, 503}
        assert house.api().coverage(made["id"])["unconfirmed"]
        assert house.stop() < 10
    finally:
        house.hang_up()
        if house.process is not None:
            house.kill()


def alive(house: House) -> bool:
    try:
        return house.is_ready() or house.api(None).http.get("/healthz").status_code == 200
    except OSError:
        return False
