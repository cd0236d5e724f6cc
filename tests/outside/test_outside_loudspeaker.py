"""What a broker carries from warnd and what warnd makes of receipts (loudspeaker protocol v1, the daemon's side)."""

import json
import socket
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.outside import county
from tests.outside.broker import Broker, needs_mosquitto
from tests.outside.cap import ENGLISH, Info, alert, cancel_of, moment, update_of
from tests.outside.county import Village
from tests.outside.house import DRILL_KEY, LIVE_KEY, Api, House, until
from tests.outside.plans import QUICK
from tests.outside.radio import Ear, Heard, Loudspeaker, loudspeaker
from tests.outside.wire import (
    DRILL,
    LIVE,
    Payload,
    command_kid,
    encoded,
    moment_of,
    public_text,
    rfc3339,
    signed,
    signed_text,
)

pytestmark = needs_mosquitto

PLAY_KEYS: dict[str, type | tuple[type, ...]] = {
    "v": int,
    "root": str,
    "to": str,
    "regions": (list, type(None)),
    "message_id": str,
    "chain_id": str,
    "seq": int,
    "verb": str,
    "status": str,
    "level": str,
    "event": str,
    "area": str,
    "headline": str,
    "speech": list,
    "repeat": int,
    "every_s": (int, type(None)),
    "volume": int,
    "tone": str,
    "issued_at": str,
    "expires_at": str,
    "ttl_s": int,
    "nonce": str,
}


def on(root: str, code: str, made: Payload) -> str:
    return f"{root}/region/{code}/command/{made['chain_id']}"


def first_on(watcher: Ear, topic: str, verb: str = "play") -> Heard:
    return watcher.until(
        lambda heard: heard.topic == topic and heard.payload and heard.command()["verb"] == verb, topic
    )


def version_on(watcher: Ear, topic: str, message_id: str) -> Heard:
    return watcher.until(
        lambda heard: heard.topic == topic and heard.payload and heard.command()["message_id"] == message_id, message_id
    )


def test_a_release_is_one_retained_signed_play_on_the_regions_topic(api: Api, watcher: Ear, village: Village) -> None:
    document = alert([village.code], english=True)
    made = api.release(document)
    heard = first_on(watcher, on(LIVE, village.code, made))
    command = heard.command()
    assert (heard.retain, heard.qos) == (True, 1)
    assert heard.expiry_s is not None
    assert 7190 <= heard.expiry_s <= 7200
    assert command.pop("kid") == command_kid(LIVE_KEY)
    assert set(command) == set(PLAY_KEYS)
    assert [name for name, kinds in PLAY_KEYS.items() if not isinstance(command[name], kinds)] == []
    assert command["v"] == 1
    assert (command["root"], command["to"]) == (LIVE, f"region:{village.code}")
    assert (command["message_id"], command["chain_id"], command["seq"]) == (made["id"], made["chain_id"], 1)
    assert (command["verb"], command["status"], command["level"]) == ("play", "Actual", "red")
    assert (command["event"], command["area"], command["headline"]) == ("洪水", "柳河镇", "清河县洪水红色预警")
    assert [(piece["lang"][:2], set(piece)) for piece in command["speech"]] == [
        ("zh", {"lang", "text", "audio"}),
        ("en", {"lang", "text", "audio"}),
    ]
    assert (command["repeat"], command["every_s"], command["volume"]) == (3, 600, 90)
    assert moment_of(command["expires_at"]) == document.sent.replace(microsecond=0) + timedelta(seconds=7200)
    assert abs((moment_of(command["issued_at"]) - moment()).total_seconds()) < 10
    assert 7180 <= command["ttl_s"] <= 7200
    assert len(watcher.all(lambda each: each.topic == heard.topic)) == 1


def test_short_national_codes_are_padded_in_topics(api: Api, watcher: Ear) -> None:
    made = api.release(alert(["770101102"]))
    heard = first_on(watcher, on(LIVE, county.LEADERS_TOWNSHIP, made))
    assert heard.command()["to"] == f"region:{county.LEADERS_TOWNSHIP}"
    for entry in heard.command()["regions"] or []:
        assert "770101102201".startswith(entry)
        assert entry == entry.rstrip("0") or len(entry) in {2, 4, 6, 9, 12}


def test_codes_that_are_not_national_stand_as_imported(api: Api, watcher: Ear) -> None:
    made = api.release(alert([county.QUAY]))
    assert first_on(watcher, on(LIVE, county.QUAY, made)).command()["to"] == f"region:{county.QUAY}"


def test_a_loudspeaker_that_comes_later_finds_the_play(
    api: Api, broker: Broker, village: Village, watcher: Ear
) -> None:
    made = api.release(alert([village.code]))
    first_on(watcher, on(LIVE, village.code, made))
    with loudspeaker(broker, village.terminal, [county.COUNTY, county.TOWNSHIP, village.code]) as speaker:
        speaker.play(speaker.until_command("play", made["id"], direct=False))
        api.until_evidence(made["id"], village.terminal, "presented")


def test_two_open_warnings_of_a_village_are_both_retained(
    api: Api, broker: Broker, village: Village, watcher: Ear
) -> None:
    made = [api.release(alert([village.code])) for _ in range(2)]
    for each in made:
        first_on(watcher, on(LIVE, village.code, each))
    with loudspeaker(broker, village.terminal, [village.code]) as speaker:
        for each in made:
            assert speaker.until_command("play", each["id"])["chain_id"] == each["chain_id"]


def test_received_is_delivered_and_a_whole_pass_is_presented(api: Api, broker: Broker, village: Village) -> None:
    with loudspeaker(broker, village.terminal, [village.code]) as speaker:
        made = api.release(alert([village.code]))
        play = speaker.until_command("play", made["id"])
        speaker.report(play, "received")
        api.until_evidence(made["id"], village.terminal, "delivered")
        speaker.report(play, "playing")
        speaker.until_ack(2)
        assert api.delivery(made["id"], village.terminal)["evidence"] == "delivered"
        speaker.report(play, "played")
        seen = api.until_evidence(made["id"], village.terminal, "presented")
        assert seen["state"] == "satisfied"
        assert seen["satisfied_at"].endswith("Z")


def test_receipts_in_any_order_give_the_strongest_proof(api: Api, broker: Broker, village: Village) -> None:
    with loudspeaker(broker, village.terminal, [village.code]) as speaker:
        made = api.release(alert([village.code]))
        play = speaker.until_command("play", made["id"])
        received, playing, played = (speaker.receipt(play, stage) for stage in ("received", "playing", "played"))
        for receipt in (played, received, playing, played):
            speaker.send(speaker.sign(receipt))
        speaker.until_ack(3)
        assert api.delivery(made["id"], village.terminal)["evidence"] == "presented"


def test_a_pass_without_sound_presents_nothing(api: Api, broker: Broker, village: Village) -> None:
    with loudspeaker(broker, village.terminal, [village.code]) as speaker:
        made = api.release(alert([village.code]))
        play = speaker.until_command("play", made["id"])
        speaker.report(play, "received")
        speaker.report(play, "played", amplifier="fault")
        speaker.until_ack(2)
        assert api.delivery(made["id"], village.terminal)["evidence"] == "delivered"
        assert api.until_reason(made["id"], village.code, "amplifier")["detail"] in {None, "amplifier"}
        speaker.report(play, "played", amplifier="unknown")
        api.until_evidence(made["id"], village.terminal, "presented")


def test_acks_count_without_gaps(api: Api, broker: Broker, village: Village, watcher: Ear) -> None:
    with loudspeaker(broker, village.terminal, [village.code]) as speaker:
        made = api.release(alert([village.code]))
        play = speaker.until_command("play", made["id"])
        first, second, third = (speaker.receipt(play, stage) for stage in ("received", "playing", "played"))
        speaker.send(speaker.sign(first))
        speaker.until_ack(1)
        speaker.send(speaker.sign(third))
        api.until_evidence(made["id"], village.terminal, "presented")
        assert max(speaker.acks()) == 1
        speaker.send(speaker.sign(second))
        ack = speaker.until_ack(3)
    kid = ack.pop("kid")
    assert kid == command_kid(LIVE_KEY)
    assert (ack["v"], ack["root"], ack["to"], ack["verb"]) == (1, LIVE, f"terminal:{village.terminal}", "ack")
    assert [ack[name] for name in ("message_id", "chain_id", "seq")] == [None, None, None]
    assert (ack["boot_id"], ack["n"]) == (speaker.boot_id, 3)
    acks = watcher.all(lambda heard: heard.topic == f"{LIVE}/terminal/{village.terminal}/command")
    assert all((heard.retain, heard.expiry_s is not None) == (False, True) for heard in acks)


def test_a_new_boot_counts_from_one_again(api: Api, broker: Broker, village: Village) -> None:
    with loudspeaker(broker, village.terminal, [village.code]) as speaker:
        made = api.release(alert([village.code]))
        play = speaker.until_command("play", made["id"])
        speaker.play(play)
        speaker.until_ack(3)
        speaker.boot_id, speaker.n = f"{speaker.boot_id}-again", 0
        speaker.report(play, "received")
        speaker.until_ack(1)


def test_a_resent_receipt_is_acknowledged_again(api: Api, broker: Broker, village: Village) -> None:
    with loudspeaker(broker, village.terminal, [village.code]) as speaker:
        made = api.release(alert([village.code]))
        text = speaker.sign(speaker.receipt(speaker.until_command("play", made["id"]), "received"))
        speaker.send(text)
        speaker.until_ack(1)
        speaker.send(text)
        speaker.ear.until_count(lambda heard: heard.command().get("verb") == "ack", 2, "ack 1")


def forgeries(speaker: Loudspeaker, play: Payload, stranger: Village) -> dict[str, str]:
    """Every one of these claims the village has heard; none may be believed."""
    good = speaker.receipt(play, "played")
    body = json.dumps(good)
    head = json.dumps({"alg": "EdDSA", "typ": "warnd-rcpt", "kid": speaker.id})
    none = f"{encoded(json.dumps({'alg': 'none', 'typ': 'warnd-rcpt', 'kid': speaker.id}).encode())}.{encoded(body.encode())}."

    def with_header(**header: object) -> str:
        return signed(good, speaker.key, kid=speaker.id, typ="warnd-rcpt", header=header)

    return {
        "another's key": speaker.sign(good, key=stranger.key),
        "another's kid": speaker.sign(good, kid=stranger.terminal),
        "another's kid and key": speaker.sign(good, kid=stranger.terminal, key=stranger.key),
        "another's terminal": speaker.sign(good | {"terminal": stranger.terminal}),
        "no signature": none,
        "another alg": with_header(alg="HS256"),
        "another typ": with_header(typ="warnd-cmd"),
        "no typ": with_header(typ=None),
        "crit": with_header(crit=["exp"]),
        "its own key": with_header(jwk={"kty": "OKP", "crv": "Ed25519", "x": public_text(speaker.key)}),
        "a key twice": signed_text(head, body[:-1] + ', "stage": "played"}', speaker.key),
        "a header twice": signed_text(head[:-1] + f', "kid": "{speaker.id}"}}', body, speaker.key),
        "a float": speaker.sign(good | {"played_ms": 12000.5}),
        "more than 16 KiB": speaker.sign(good | {"note": "x" * 16_400}),
        "another root": speaker.sign(good | {"root": DRILL}),
        "local time": speaker.sign(good | {"at": "2026-11-21 08:00:00"}),
        "unknown stage": speaker.sign(good | {"stage": "heard"}),
        "n of zero": speaker.sign(good | {"n": 0}),
        "a version to come": speaker.sign(good | {"v": 2}),
        "no JWS": body,
        "nothing": "",
        "rubbish": "\x00\xff.\x00.\x00",
    }


def test_forged_receipts_prove_nothing_and_stop_nothing(
    api: Api, broker: Broker, village: Village, other: Village, watcher: Ear
) -> None:
    with loudspeaker(broker, village.terminal, [village.code]) as speaker:
        made = api.release(alert([village.code]))
        play = speaker.until_command("play", made["id"])
        for text in forgeries(speaker, play, other).values():
            speaker.send(text)
        speaker.n = 0
        speaker.report(play, "received")
        speaker.until_ack(1)
        assert api.delivery(made["id"], village.terminal)["evidence"] == "delivered"
        assert set(speaker.acks()) == {1}
    assert api.deliveries(made["id"], recipient=other.terminal) == []
    assert watcher.all(lambda heard: heard.topic == f"{LIVE}/terminal/{other.terminal}/command") == []


def test_one_terminal_cannot_report_on_anothers_topic(
    api: Api, broker: Broker, village: Village, other: Village
) -> None:
    with (
        loudspeaker(broker, village.terminal, [village.code]) as speaker,
        loudspeaker(broker, other.terminal, []) as liar,
    ):
        made = api.release(alert([village.code]))
        play = speaker.until_command("play", made["id"])
        forged = speaker.receipt(play, "played") | {"terminal": other.terminal}
        liar.ear.publish(f"{LIVE}/terminal/{village.terminal}/receipt", liar.sign(forged))
        speaker.n = 0
        speaker.report(play, "received")
        speaker.until_ack(1)
        assert api.delivery(made["id"], village.terminal)["evidence"] == "delivered"


def test_a_terminal_nobody_imported_changes_nothing(api: Api, watcher: Ear, village: Village, broker: Broker) -> None:
    with loudspeaker(broker, village.terminal, [village.code]) as speaker:
        made = api.release(alert([village.code]))
        play = speaker.until_command("play", made["id"])
        ghost = Loudspeaker("T-GHOST", county.key_of("T-GHOST"), watcher)
        ghost.state()
        ghost.report(play, "played")
        speaker.report(play, "received")
        speaker.until_ack(1)
    assert api.deliveries(made["id"], recipient="T-GHOST") == []
    assert [each for each in api.get("/api/v1/terminals", limit=1000)["terminals"] if each["id"] == "T-GHOST"] == []
    assert watcher.all(lambda heard: heard.topic == f"{LIVE}/terminal/T-GHOST/command") == []


def test_a_terminal_that_had_no_delivery_gets_one_by_its_receipt(
    api: Api, broker: Broker, village: Village, other: Village
) -> None:
    with (
        loudspeaker(broker, village.terminal, [village.code]) as speaker,
        loudspeaker(broker, other.terminal, [other.code]) as neighbour,
    ):
        made = api.release(alert([village.code]))
        play = speaker.until_command("play", made["id"])
        neighbour.play(play)
        neighbour.until_ack(3)
        assert api.delivery(made["id"], other.terminal)["evidence"] == "presented"
        totals = api.warning(made["id"])["totals"]
        assert totals["villages"]["targeted"] == 1
        assert totals["villages"]["confirmed"] == 0


def test_a_townships_loudspeaker_confirms_no_village(api: Api, broker: Broker, village: Village) -> None:
    with loudspeaker(broker, county.TOWNSHIP_TERMINAL, [county.TOWNSHIP, village.code]) as tower:
        made = api.release(alert([village.code], level="yellow"))
        tower.play(tower.until_command("play", made["id"], direct=False))
        tower.until_ack(3)
        totals = api.until_planned(made["id"])["totals"]
        assert totals["villages"] == {"targeted": 1, "confirmed": 0, "confirmed_late": 0, "unconfirmed": 1}


def test_silence_is_answered_by_a_direct_retry(api: Api, broker: Broker, village: Village, watcher: Ear) -> None:
    with loudspeaker(broker, village.terminal, [village.code]) as speaker:
        made = api.release(alert([village.code], event=QUICK))
        play = speaker.until_command("play", made["id"], direct=False)
        retry = speaker.until_command("play", made["id"], direct=True)
        speaker.play(retry)
        speaker.until_ack(3)
    (heard,) = watcher.all(lambda h: h.topic.endswith(f"{village.terminal}/command") and h.command()["verb"] == "play")
    assert (heard.retain, heard.qos) == (False, 1)
    assert heard.expiry_s is not None
    assert retry["to"] == f"terminal:{village.terminal}"
    assert retry["nonce"] != play["nonce"]
    same = set(PLAY_KEYS) - {"to", "nonce", "issued_at", "ttl_s", "expires_at"}
    assert {name: retry[name] for name in same} == {name: play[name] for name in same}


def test_a_cancel_puts_a_stop_on_every_topic_of_the_play(
    api: Api, watcher: Ear, village: Village, other: Village
) -> None:
    document = alert([village.code, other.code])
    made = api.release(document)
    for code in (village.code, other.code):
        first_on(watcher, on(LIVE, code, made))
    taken_back = api.release(cancel_of(document))
    assert taken_back["chain_id"] == made["chain_id"]
    for code in (village.code, other.code):
        heard = first_on(watcher, on(LIVE, code, made), "stop")
        stop = heard.command()
        assert (heard.retain, heard.qos) == (True, 1)
        assert heard.expiry_s is not None
        assert 7000 < heard.expiry_s <= 7200
        assert (stop["message_id"], stop["chain_id"], stop["seq"]) == (taken_back["id"], made["chain_id"], 2)
        assert stop["to"] == f"region:{code}"
        assert stop["kid"] == command_kid(LIVE_KEY)


def test_a_loudspeaker_that_comes_after_the_cancel_finds_only_the_stop(
    api: Api, watcher: Ear, village: Village, broker: Broker
) -> None:
    document = alert([village.code])
    made = api.release(document)
    topic = on(LIVE, village.code, made)
    first_on(watcher, topic)
    taken_back = api.release(cancel_of(document))
    first_on(watcher, topic, "stop")
    with loudspeaker(broker, village.terminal, [village.code]) as speaker:
        stop = speaker.until_command("stop", taken_back["id"])
        assert [heard.command()["verb"] for heard in speaker.ear.all(lambda heard: heard.topic == topic)] == ["stop"]
        speaker.report(stop, "stopped")
        speaker.until_ack(1)


def test_an_update_is_retained_on_every_topic_that_carried_the_last_version(
    api: Api, watcher: Ear, village: Village, other: Village
) -> None:
    document = alert([village.code, other.code])
    made = api.release(document)
    for code in (village.code, other.code):
        first_on(watcher, on(LIVE, code, made))
    smaller = update_of(document, geocodes=(("region_code", village.code),), headline="清河县洪水红色预警更新")
    second = api.release(smaller)
    for code in (village.code, other.code):
        heard = version_on(watcher, on(LIVE, code, made), second["id"])
        command = heard.command()
        assert heard.retain
        assert command["seq"] == 2
        under = command["regions"] is None or any(code.startswith(entry) for entry in command["regions"])
        assert (command["verb"] == "play" and under) == (code == village.code)


def test_a_drill_is_heard_under_its_own_root_key_and_broker_account_only(
    api: Api, watcher: Ear, village: Village, broker: Broker
) -> None:
    with loudspeaker(broker, village.terminal, [village.code], drill=True) as speaker:
        made = api.release(alert([village.code], status="Exercise"))
        play = speaker.until_command("play", made["id"])
        assert (play["root"], play["status"], play["kid"]) == (DRILL, "Exercise", command_kid(DRILL_KEY))
        assert all("演练" in piece["text"] for piece in play["speech"] if piece["lang"].startswith("zh"))
        speaker.play(play)
        ack = speaker.until_ack(3)
        assert (ack["root"], ack["kid"]) == (DRILL, command_kid(DRILL_KEY))
        api.until_evidence(made["id"], village.terminal, "presented")
    assert watcher.all(lambda heard: heard.topic.startswith(LIVE) and made["chain_id"] in heard.topic) == []


def test_receipts_of_a_drill_prove_nothing_on_the_live_root(api: Api, village: Village, broker: Broker) -> None:
    with (
        loudspeaker(broker, village.terminal, [village.code], drill=True) as practised,
        loudspeaker(broker, village.terminal, [village.code]) as speaker,
    ):
        drill = api.release(alert([village.code], status="Test"))
        practised.until_command("play", drill["id"])
        assert api.delivery(drill["id"], village.terminal)["evidence"] in {"none", "accepted"}
        real = api.release(alert([village.code]))  # Which ends the drill.
        play = speaker.until_command("play", real["id"])
        practised.play(play)
        practised.until_ack(3)
        speaker.report(play, "received")
        speaker.until_ack(1)
        assert api.delivery(real["id"], village.terminal)["evidence"] == "delivered"
        assert api.delivery(drill["id"], village.terminal)["evidence"] in {"none", "accepted"}


def test_a_clockless_loudspeaker_is_told_the_time_for_its_boot(house: House, broker: Broker, village: Village) -> None:
    assert house.is_ready()
    with loudspeaker(broker, village.terminal, [village.code], quiet=True) as speaker:
        speaker.state(clock="unsynced", at="1970-01-01T00:00:07Z")
        told = speaker.until_command("time", None)
        assert told["boot_id"] == speaker.boot_id
        assert [told[name] for name in ("message_id", "chain_id", "seq")] == [None, None, None]
        assert told["to"] == f"terminal:{village.terminal}"
        assert abs((moment_of(told["at"]) - moment()).total_seconds()) < 5


def terminal_row(api: Api, name: str) -> Payload:
    rows = {row["id"]: row for row in api.get("/api/v1/terminals", limit=1000)["terminals"]}
    row: Payload = rows[name]
    return row


def test_presence_is_what_states_and_wills_say(api: Api, broker: Broker, village: Village) -> None:
    before = terminal_row(api, village.terminal)
    assert set(before) >= {"id", "region", "online", "last_seen", "clock", "amplifier", "volume"}
    assert (before["region"], before["online"], before["last_seen"]) == (village.code, False, None)
    with loudspeaker(broker, village.terminal, [village.code], quiet=True) as speaker:
        speaker.state(volume=55, amplifier="fault", clock="synced")
        until(lambda: terminal_row(api, village.terminal)["online"], "online")
        row = terminal_row(api, village.terminal)
        assert (row["volume"], row["amplifier"], row["clock"]) == (55, "fault", "synced")
        assert row["last_seen"].endswith("Z")
        speaker.ear.client.reconnect_delay_set(60, 120)
        line = speaker.ear.client.socket()
        assert isinstance(line, socket.socket)
        line.shutdown(socket.SHUT_RDWR)
        until(lambda: not terminal_row(api, village.terminal)["online"], "offline by its will")


def test_three_missed_heartbeats_are_offline(api: Api, broker: Broker, village: Village) -> None:
    with loudspeaker(broker, village.terminal, [village.code], quiet=True) as speaker:
        speaker.state(heartbeat_s=1)
        until(lambda: terminal_row(api, village.terminal)["online"], "online")
        until(lambda: not terminal_row(api, village.terminal)["online"], "offline by silence", timeout_s=6)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"v":1}', '{"v":1,"online":true}', "\xff", '{"terminal":"T-999"}'])
def test_a_bad_state_lowers_nothing_but_trust(api: Api, broker: Broker, village: Village, text: str) -> None:
    with loudspeaker(broker, village.terminal, [village.code], quiet=True) as speaker:
        speaker.ear.publish(f"{LIVE}/terminal/{village.terminal}/state", text, retain=False)
        speaker.state()
        until(lambda: terminal_row(api, village.terminal)["online"], "online after a bad state")


def test_no_command_is_longer_than_a_terminal_takes(api: Api, watcher: Ear, village: Village) -> None:
    answer = api.post(alert([village.code], instruction="立即转移到高处。" * 1500))
    if answer.status_code == 201:
        made = answer.json()
        heard = first_on(watcher, on(LIVE, village.code, made))
        assert len(heard.payload) <= 16 * 1024
    else:
        assert answer.status_code in {202, 422}


def test_late_receipts_keep_their_true_times(api: Api, broker: Broker, village: Village) -> None:
    with loudspeaker(broker, village.terminal, [village.code]) as speaker:
        made = api.release(alert([village.code]))
        play = speaker.until_command("play", made["id"])
        speaker.report(play, "played", at=rfc3339(moment(ahead_s=-3600)))
        speaker.until_ack(1)
        assert api.delivery(made["id"], village.terminal)["evidence"] == "presented"


def test_an_answer_after_the_cancel_still_counts_as_proof_of_the_first(
    api: Api, broker: Broker, village: Village
) -> None:
    with loudspeaker(broker, village.terminal, [village.code]) as speaker:
        document = alert([village.code])
        made = api.release(document)
        play = speaker.until_command("play", made["id"])
        taken_back = api.release(cancel_of(document))
        speaker.until_command("stop", taken_back["id"])
        speaker.play(play)
        speaker.until_ack(3)
        assert api.delivery(made["id"], village.terminal)["evidence"] == "presented"


def test_english_speech_goes_second(api: Api, watcher: Ear, village: Village) -> None:
    document = alert([village.code])
    places = document.infos[0].geocodes
    document = replace(document, infos=(replace(ENGLISH, geocodes=places), Info(geocodes=places)))
    made = api.release(document)
    speech = first_on(watcher, on(LIVE, village.code, made)).command()["speech"]
    assert sorted(piece["lang"][:2] for piece in speech) == ["en", "zh"]
    assert "红色" in next(piece["text"] for piece in speech if piece["lang"].startswith("zh"))


def test_the_shared_daemon_is_still_there(house: House) -> None:
    assert house.is_ready()
