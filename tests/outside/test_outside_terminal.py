"""The reference loudspeaker as a child process, commanded by a centre of our own (loudspeaker protocol v1, the terminal's side)."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.outside import county
from tests.outside.broker import Broker, needs_mosquitto, password, running_broker
from tests.outside.cap import moment
from tests.outside.county import key_of
from tests.outside.house import DRILL_KEY, LIVE_KEY, child_environment
from tests.outside.radio import Ear, Heard, watching
from tests.outside.wire import (
    DRILL,
    LIVE,
    Payload,
    command_kid,
    key_pem,
    moment_of,
    opened,
    public_text,
    rfc3339,
    signed,
    signed_text,
)

pytestmark = needs_mosquitto

VILLAGE = "770101101201"
ID = "T-REAL"
OLD_KEY, COUNTY_KEY = key_of("a key that ran out"), key_of("the next county's key")
_CHAINS = count(1)
RECEIPT_KEYS = {
    "v",
    "root",
    "terminal",
    "boot_id",
    "n",
    "message_id",
    "seq",
    "nonce",
    "stage",
    "pass_done",
    "played_ms",
    "volume",
    "amplifier",
    "reason",
    "at",
}
STATE_KEYS = {
    "v",
    "terminal",
    "online",
    "boot_id",
    "uptime_s",
    "heartbeat_s",
    "playing",
    "volume",
    "amplifier",
    "clock",
    "firmware",
    "last_message",
    "at",
}


@dataclass
class Centre:
    """Signs and publishes commands, and reads what one terminal proves."""

    ear: Ear
    terminal: str
    acknowledging: bool = True
    known: dict[bytes, Payload] = field(default_factory=dict)
    acked: dict[tuple[str, str], int] = field(default_factory=dict)

    def play(self, chain: str, **changes: Any) -> Payload:
        """Return a play of a chain: short, once, for the village."""
        return {
            "v": 1,
            "root": LIVE,
            "to": f"region:{VILLAGE}",
            "regions": None,
            "message_id": f"{chain}-1",
            "chain_id": chain,
            "seq": 1,
            "verb": "play",
            "status": "Actual",
            "level": "orange",
            "event": "洪水",
            "area": "柳河",
            "headline": "洪水",
            "speech": [{"lang": "en", "text": "Flood.", "audio": None}],
            "repeat": 1,
            "every_s": None,
            "volume": 60,
            "tone": "none",
            "issued_at": rfc3339(moment()),
            "expires_at": rfc3339(moment(ahead_s=3600)),
            "ttl_s": 3600,
            "nonce": f"nonce-{next(_CHAINS)}",
        } | changes

    def topic(self, command: Payload) -> str:
        kind, _, name = command["to"].partition(":")
        if kind == "terminal":
            return f"{command['root']}/terminal/{name}/command"
        return f"{command['root']}/region/{name}/command/{command['chain_id']}"

    def send(
        self,
        command: Payload,
        *,
        key: Ed25519PrivateKey = LIVE_KEY,
        topic: str | None = None,
        retain: bool = False,
        **header: Any,
    ) -> Payload:
        kid = header.pop("kid", command_kid(key))
        text = signed(command, key, kid=kid, typ=header.pop("typ", "warnd-cmd"), header=header)
        self.ear.publish(topic or self.topic(command), text, retain=retain)
        return command

    def direct(self, verb: str, **changes: Any) -> Payload:
        """Return a command to the terminal that has no chain."""
        return {
            "v": 1,
            "root": LIVE,
            "to": f"terminal:{self.terminal}",
            "regions": None,
            "message_id": None,
            "chain_id": None,
            "seq": None,
            "verb": verb,
            "issued_at": rfc3339(moment()),
            "expires_at": rfc3339(moment(ahead_s=3600)),
            "ttl_s": 3600,
            "nonce": f"nonce-{next(_CHAINS)}",
        } | changes

    def opened(self, heard: Heard) -> Payload:
        """Return a receipt, its header checked; each is verified once, however often a condition looks at it."""
        if heard.payload not in self.known:
            head, receipt = opened(heard.payload, key_of(self.terminal).public_key(), typ="warnd-rcpt")
            assert head["kid"] == self.terminal
            self.known[heard.payload] = receipt
        return self.known[heard.payload]

    def acknowledge(self) -> None:
        """Confirm what has come without a gap, as a centre does; else the terminal sends it all again every 30 s."""
        found = [self.opened(heard) for heard in self.ear.all(self.is_receipt)]
        for boot, root in {(each["boot_id"], each["root"]) for each in found}:
            numbers = {each["n"] for each in found if (each["boot_id"], each["root"]) == (boot, root)}
            n = next(number for number in count(1) if number not in numbers) - 1
            if n > self.acked.get((boot, root), 0):
                self.acked[boot, root] = n
                key = DRILL_KEY if root == DRILL else LIVE_KEY
                self.send(self.direct("ack", root=root, boot_id=boot, n=n), key=key)

    def is_receipt(self, heard: Heard) -> bool:
        return heard.topic.endswith(f"/terminal/{self.terminal}/receipt")

    def receipts(self, message_id: str) -> list[Payload]:
        """Return the receipts of a message, each (boot_id, n) once, in order."""
        found = [self.opened(heard) for heard in self.ear.all(self.is_receipt)]
        own = {(each["boot_id"], each["root"], each["n"]): each for each in found if each["message_id"] == message_id}
        return list(own.values())

    def until(self, message_id: str, stage: str, *, times: int = 1, timeout_s: float = 15.0) -> Payload:
        """Return the n-th receipt of a stage, acknowledged as a centre would."""

        def wanted(_: Heard) -> bool:
            return len([each for each in self.receipts(message_id) if each["stage"] == stage]) >= times

        try:
            self.ear.until(wanted, f"{stage} of {message_id}", timeout_s=timeout_s)
        except AssertionError as error:
            raise AssertionError(
                f"{error}; receipts: {[(r['stage'], r['reason']) for r in self.receipts(message_id)]}"
            ) from None
        if self.acknowledging:
            self.acknowledge()
        return [each for each in self.receipts(message_id) if each["stage"] == stage][times - 1]

    def states(self) -> list[Payload]:
        return [json.loads(heard.payload) for heard in self.ear.all(self.is_state)]

    def is_state(self, heard: Heard) -> bool:
        return heard.topic == f"{LIVE}/terminal/{self.terminal}/state" and bool(heard.payload)

    def until_state(self, wanted: Callable[[Payload], object], what: str, *, after: int = 0) -> Payload:
        def fits(heard: Heard) -> bool:
            return self.is_state(heard) and heard in self.ear.heard[after:] and bool(wanted(json.loads(heard.payload)))

        return dict(json.loads(self.ear.until(fits, what).payload))

    def fence(self) -> None:
        """Return when everything sent before has been handled: a play of its own is through."""
        chain = f"fence-{next(_CHAINS)}"
        self.send(self.play(chain, to=f"terminal:{self.terminal}"))
        self.until(f"{chain}-1", "played")


@dataclass
class Device:
    """One terminal program."""

    folder: Path
    broker: Broker
    id: str
    options: tuple[str, ...] = ()
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "key.pem").write_bytes(key_pem(key_of(self.id)))
        (self.folder / "key.pem").chmod(0o600)
        (self.folder / "trust.json").write_text(json.dumps(trust()), "utf-8")
        log = (self.folder / "log").open("ab")
        program = [sys.executable, "-m", "warnd", "terminal", "run"]
        where = f"mqtt://{self.broker.host}"
        links = ["--broker", f"{where}:{self.broker.port}", "--drill-broker", f"{where}:{self.broker.drill_port}"]
        paths = ["--key", "key.pem", "--trust", "trust.json", "--state", "state"]
        with log:
            self.process = subprocess.Popen(
                [
                    *program,
                    "--id",
                    self.id,
                    "--region",
                    VILLAGE,
                    "--silent",
                    *paths,
                    *links,
                    "--heartbeat",
                    "1",
                    *self.options,
                ],
                env=child_environment()
                | {
                    "WARND_TERMINAL_PASSWORD": password(self.id, drill=False),
                    "WARND_TERMINAL_DRILL_PASSWORD": password(self.id, drill=True),
                },
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def end(self, how: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        code = self.process.wait(15)
        self.process = None
        return code


def trust() -> dict[str, dict[str, object]]:
    def entry(key: Ed25519PrivateKey, root: str, region: str, not_after: str) -> dict[str, object]:
        return {"public_key": public_text(key), "root": root, "regions": [region], "not_after": not_after}

    late, gone = "2099-01-01T00:00:00Z", "2020-01-01T00:00:00Z"
    return {
        command_kid(LIVE_KEY): entry(LIVE_KEY, LIVE, "770101", late),
        command_kid(DRILL_KEY): entry(DRILL_KEY, DRILL, "770101", late),
        command_kid(OLD_KEY): entry(OLD_KEY, LIVE, "770101", gone),
        command_kid(COUNTY_KEY): entry(COUNTY_KEY, LIVE, "770102", late),
    }


@pytest.fixture(scope="module")
def air(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Broker, Ear]]:
    names = [ID, "T-CLOCK", "T-KILLED", "T-FAULT"]
    with running_broker(tmp_path_factory.mktemp("air"), names) as running, watching(running) as ear:
        yield running, ear


@pytest.fixture(scope="module")
def device(air: tuple[Broker, Ear], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    with running(Device(tmp_path_factory.mktemp("device"), air[0], ID)) as made:
        yield made


@contextmanager
def running(device: Device) -> Iterator[Device]:
    device.start()
    try:
        yield device
    finally:
        if device.process is not None:
            device.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def centre(air: tuple[Broker, Ear], device: Device) -> Centre:
    """The centre of the terminal that most tests share, once it is there."""
    made = Centre(air[1], device.id)
    made.until_state(lambda state: state["online"], "online")
    return made


@pytest.fixture
def chain() -> str:
    return f"chain-{next(_CHAINS)}"


def refusal(centre: Centre, command: Payload) -> str:
    receipt = centre.until(command["message_id"], "failed")
    assert [each["stage"] for each in centre.receipts(command["message_id"])] == ["failed"]
    reason: str = receipt["reason"]
    return reason


def test_its_state_is_plain_retained_json(centre: Centre) -> None:
    state = centre.states()[0]
    assert set(state) >= STATE_KEYS
    assert (state["v"], state["terminal"], state["online"], state["heartbeat_s"]) == (1, ID, True, 1)
    assert state["clock"] in {"synced", "unsynced"}
    assert state["amplifier"] in {"ok", "fault", "unknown"}
    assert abs((moment_of(state["at"]) - moment()).total_seconds()) < 60
    assert centre.ear.all(centre.is_state)[0].retain


def test_a_drill_is_played_under_its_own_root(centre: Centre, chain: str) -> None:
    centre.send(centre.play(chain, root=DRILL, status="Exercise"), key=DRILL_KEY)
    receipt = centre.until(f"{chain}-1", "played")
    assert receipt["root"] == DRILL
    topics = {
        heard.topic for heard in centre.ear.all(centre.is_receipt) if centre.opened(heard)["message_id"] == f"{chain}-1"
    }
    assert topics == {f"{DRILL}/terminal/{ID}/receipt"}


def test_a_play_is_received_playing_and_played(centre: Centre, chain: str) -> None:
    command = centre.send(centre.play(chain, repeat=2), retain=True)
    centre.until(f"{chain}-1", "played", times=2)
    receipts = centre.receipts(f"{chain}-1")
    assert [(each["stage"], each["pass_done"]) for each in receipts if each["stage"] != "playing"] == [
        ("received", 0),
        ("played", 1),
        ("played", 2),
    ]
    assert "playing" in [each["stage"] for each in receipts]
    numbers = [each["n"] for each in receipts]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    for each in receipts:
        assert set(each) == RECEIPT_KEYS
        assert (each["v"], each["root"], each["terminal"], each["reason"]) == (1, LIVE, ID, None)
        assert (each["seq"], each["nonce"], each["message_id"]) == (1, command["nonce"], f"{chain}-1")
        assert each["amplifier"] in {"ok", "fault", "unknown"}
        assert abs((moment_of(each["at"]) - moment()).total_seconds()) < 60
    assert receipts[-1]["played_ms"] > 0
    sent = centre.ear.all(centre.is_receipt)
    assert all((heard.qos, heard.retain) == (1, False) for heard in sent)


def test_it_hears_its_regions_ancestors(centre: Centre, chain: str) -> None:
    codes = (county.PROVINCE, county.CITY, county.COUNTY, county.TOWNSHIP)
    for code in codes:
        centre.send(centre.play(f"{chain}-{code}", to=f"region:{code}"))
    for code in codes:
        centre.until(f"{chain}-{code}-1", "received")
    for code in codes:
        centre.until(f"{chain}-{code}-1", "played")


def test_it_hears_what_is_said_to_it_alone(centre: Centre, chain: str) -> None:
    centre.send(centre.play(chain, to=f"terminal:{ID}"))
    centre.until(f"{chain}-1", "played")


def test_a_retry_of_what_was_played_is_not_played_again(centre: Centre, chain: str) -> None:
    first = centre.send(centre.play(chain))
    centre.until(f"{chain}-1", "played")
    before = len(centre.ear.all(centre.is_receipt))
    again = first | {"nonce": "another", "to": f"terminal:{ID}", "issued_at": rfc3339(moment())}
    centre.send(again)
    centre.ear.until(
        lambda heard: (
            centre.is_receipt(heard)
            and heard in centre.ear.all(centre.is_receipt)[before:]
            and centre.opened(heard)["message_id"] == f"{chain}-1"
        ),
        "its receipts again",
    )
    centre.fence()
    assert len({each["n"] for each in centre.receipts(f"{chain}-1") if each["stage"] == "playing"}) == 1


def test_other_content_under_an_equal_seq_is_refused(centre: Centre, chain: str) -> None:
    first = centre.send(centre.play(chain))
    centre.until(f"{chain}-1", "played")
    centre.send(first | {"speech": [{"lang": "en", "text": "All clear.", "audio": None}], "nonce": "x"})
    assert centre.until(f"{chain}-1", "failed")["reason"] == "replayed"


def test_a_stop_ends_the_play(centre: Centre, chain: str) -> None:
    centre.send(centre.play(chain, repeat=50))
    centre.until(f"{chain}-1", "playing")
    centre.send(centre.play(chain, verb="stop", message_id=f"{chain}-2", seq=2))
    centre.until(f"{chain}-2", "stopped")
    centre.fence()
    assert len([each for each in centre.receipts(f"{chain}-1") if each["stage"] == "played"]) < 50


def test_a_stop_outlives_a_late_play(centre: Centre, chain: str) -> None:
    centre.send(centre.play(chain, verb="stop", message_id=f"{chain}-2", seq=2), retain=True)
    centre.send(centre.play(chain))
    centre.fence()
    stages = [(each["stage"], each["reason"]) for each in centre.receipts(f"{chain}-1")]
    assert "playing" not in [stage for stage, _ in stages]
    assert [reason for _, reason in stages if reason] in ([], ["superseded"])


def test_a_lower_seq_is_superseded(centre: Centre, chain: str) -> None:
    centre.send(centre.play(chain, message_id=f"{chain}-2", seq=2))
    centre.until(f"{chain}-2", "played")
    late = centre.send(centre.play(chain))
    assert refusal(centre, late) == "superseded"


def test_a_newer_version_takes_the_place_of_the_older(centre: Centre, chain: str) -> None:
    centre.send(centre.play(chain, repeat=50))
    centre.until(f"{chain}-1", "playing")
    centre.send(centre.play(chain, message_id=f"{chain}-2", seq=2))
    centre.until(f"{chain}-2", "played")
    assert len([each for each in centre.receipts(f"{chain}-1") if each["stage"] == "played"]) < 50


def test_a_version_for_other_regions_is_a_stop(centre: Centre, chain: str) -> None:
    centre.send(centre.play(chain, repeat=50, to=f"region:{county.TOWNSHIP}"))
    centre.until(f"{chain}-1", "playing")
    smaller = centre.play(
        chain, message_id=f"{chain}-2", seq=2, to=f"region:{county.TOWNSHIP}", regions=["770101101299"]
    )
    centre.send(smaller)
    centre.until(f"{chain}-2", "stopped")
    centre.fence()
    assert "playing" not in [each["stage"] for each in centre.receipts(f"{chain}-2")]


def test_regions_are_prefixes(centre: Centre, chain: str) -> None:
    centre.send(centre.play(chain, to=f"region:{county.TOWNSHIP}", regions=["770102", "770101101"]))
    centre.until(f"{chain}-1", "played")


def rejected(centre: Centre, chain: str) -> dict[str, tuple[str, Callable[[], Payload]]]:
    """Return what -> the reason expected, and how it is sent."""
    live, drill = centre.play(chain), centre.play(chain, root=DRILL, status="Exercise")
    region = centre.topic(live)
    expired = {"expires_at": rfc3339(moment(ahead_s=-60)), "issued_at": rfc3339(moment(ahead_s=-3600))}
    return {
        "a key nobody knows": ("unknown_key", lambda: centre.send(live, key=key_of("stranger"))),
        "a known kid, another's signature": (
            "bad_signature",
            lambda: centre.send(live, key=key_of("stranger"), kid=command_kid(LIVE_KEY)),
        ),
        "a key that ran out": ("unknown_key", lambda: centre.send(live, key=OLD_KEY)),
        "a key for another county": ("unknown_key", lambda: centre.send(live, key=COUNTY_KEY)),
        "an Exercise under the live key": ("drill_on_live", lambda: centre.send(live | {"status": "Exercise"})),
        "a Test under the live key": ("drill_on_live", lambda: centre.send(live | {"status": "Test"})),
        "an Actual under the drill key": (
            "unknown_key",
            lambda: centre.send(drill | {"status": "Actual"}, key=DRILL_KEY),
        ),
        "a drill's root on a live topic": ("not_for_me", lambda: centre.send(drill, key=DRILL_KEY, topic=region)),
        "another region in it": ("not_for_me", lambda: centre.send(live | {"to": "region:770101101299"}, topic=region)),
        "another terminal in it": (
            "not_for_me",
            lambda: centre.send(live | {"to": "terminal:T-999"}, topic=f"{LIVE}/terminal/{ID}/command"),
        ),
        "expired": ("expired", lambda: centre.send(live | expired)),
    }


@pytest.mark.parametrize("what", range(11))
def test_what_it_must_not_play_is_refused_and_reported(centre: Centre, chain: str, what: int) -> None:
    name, (reason, send) = list(rejected(centre, chain).items())[what]
    assert (name, refusal(centre, send())) == (name, reason)


def test_what_is_no_command_is_silent_and_harmless(centre: Centre, chain: str) -> None:
    command = centre.play(chain)
    topic = centre.topic(command)
    body = json.dumps(command)
    head = json.dumps({"alg": "EdDSA", "typ": "warnd-cmd", "kid": command_kid(LIVE_KEY)})
    for text in (
        signed_text(head, body[:-1] + ', "verb": "play"}', LIVE_KEY),
        signed_text(head[:-1] + ', "alg": "EdDSA"}', body, LIVE_KEY),
        signed_text(head, json.dumps(command | {"note": "x" * 17_000}), LIVE_KEY),
        signed_text(head, json.dumps(command | {"repeat": 1.5}), LIVE_KEY),
        signed_text(head, "[]", LIVE_KEY),
        signed(command, LIVE_KEY, kid=command_kid(LIVE_KEY), typ="warnd-cmd", header={"crit": ["x"], "x": 1}),
        signed(command, LIVE_KEY, kid=command_kid(LIVE_KEY), typ="warnd-cmd", header={"jwk": {"kty": "OKP"}}),
        signed(command, LIVE_KEY, kid=command_kid(LIVE_KEY), typ="warnd-cmd", header={"alg": "none"}),
        signed(command, LIVE_KEY, kid=command_kid(LIVE_KEY), typ="warnd-rcpt"),
        "rubbish",
        "",
    ):
        centre.ear.publish(topic, text)
    centre.fence()
    assert {each["stage"] for each in centre.receipts(f"{chain}-1")} <= {"failed"}


def test_a_drill_is_silent_while_a_real_warning_is_in_force(centre: Centre, chain: str) -> None:
    centre.fence()
    assert (
        refusal(centre, centre.send(centre.play(chain, root=DRILL, status="Exercise"), key=DRILL_KEY))
        == "higher_priority"
    )


def test_n_counts_from_one_for_each_root(centre: Centre) -> None:
    found = [centre.opened(heard) for heard in centre.ear.all(centre.is_receipt)]
    for root in {each["root"] for each in found}:
        for boot in {each["boot_id"] for each in found}:
            numbers = sorted({each["n"] for each in found if (each["root"], each["boot_id"]) == (root, boot)})
            assert numbers == list(range(1, len(numbers) + 1))


def test_red_goes_before_blue(centre: Centre, chain: str) -> None:
    centre.send(centre.play(chain, level="blue", repeat=30))
    centre.until(f"{chain}-1", "playing")
    red = f"{chain}-red"
    centre.send(centre.play(red, level="red"))
    centre.until(f"{red}-1", "played")
    assert len([each for each in centre.receipts(f"{chain}-1") if each["stage"] == "played"]) < 30
    centre.send(centre.play(chain, verb="stop", message_id=f"{chain}-2", seq=2))
    centre.until(f"{chain}-2", "stopped")


def test_volume_is_set_and_told(centre: Centre) -> None:
    heard = len(centre.ear.heard)
    centre.send(centre.direct("volume", volume=33))
    centre.until_state(lambda state: state["volume"] == 33, "volume 33", after=heard)


def test_a_retained_play_without_end_by_the_clock_is_still_expired(centre: Centre, chain: str, device: Device) -> None:
    assert device.process is not None
    late = centre.play(chain, expires_at=rfc3339(moment(ahead_s=-5)))
    centre.send(late)
    assert refusal(centre, late) == "expired"


def test_an_amplifier_at_fault_is_told(air: tuple[Broker, Ear], tmp_path: Path, chain: str) -> None:
    device = Device(tmp_path / "fault", air[0], "T-FAULT", ("--amplifier-file", str(tmp_path / "amplifier")))
    (tmp_path / "amplifier").write_text("fault\n", "utf-8")
    with running(device):
        centre = Centre(air[1], device.id)
        centre.until_state(lambda state: state["amplifier"] == "fault", "the fault")
        centre.send(centre.play(chain, to="terminal:T-FAULT"))
        centre.ear.until(
            lambda _: any(each["amplifier"] == "fault" for each in centre.receipts(f"{chain}-1")), "a fault"
        )
        assert {each["amplifier"] for each in centre.receipts(f"{chain}-1")} == {"fault"}


def test_time_is_taken_for_its_own_boot_only(air: tuple[Broker, Ear], tmp_path: Path) -> None:
    device = Device(tmp_path / "clock", air[0], "T-CLOCK", ("--no-clock",))
    with running(device):
        centre = Centre(air[1], device.id)
        boot = centre.until_state(lambda state: state["online"], "online")["boot_id"]
        assert centre.states()[-1]["clock"] == "unsynced"
        heard = len(centre.ear.heard)
        centre.send(centre.direct("time", at=rfc3339(moment()), boot_id="another"))
        centre.send(centre.direct("volume", volume=21))
        seen = centre.until_state(lambda state: state["volume"] == 21, "the volume", after=heard)
        assert seen["clock"] == "unsynced"
        centre.send(centre.direct("time", at=rfc3339(moment()), boot_id=boot))
        synced = centre.until_state(lambda state: state["clock"] == "synced", "the time", after=heard)
        assert abs((moment_of(synced["at"]) - moment()).total_seconds()) < 5


def test_what_is_not_acknowledged_survives_a_power_cut(air: tuple[Broker, Ear], tmp_path: Path, chain: str) -> None:
    device = Device(tmp_path / "killed", air[0], "T-KILLED")
    centre = Centre(air[1], "T-KILLED", acknowledging=False)
    with running(device):
        centre.until_state(lambda state: state["online"], "online")
        centre.send(centre.play(chain, to="terminal:T-KILLED"))
        played = centre.until(f"{chain}-1", "played")
        device.end(signal.SIGKILL)
        mark = len(centre.ear.heard)
        centre.until_state(lambda state: not state["online"], "its will")
        device.start()
        again = centre.until_state(lambda state: state["online"], "online again", after=mark)
        assert again["boot_id"] != played["boot_id"]
        resent = centre.ear.until(
            lambda heard: (
                centre.is_receipt(heard)
                and heard in centre.ear.heard[mark:]
                and centre.opened(heard)["n"] == played["n"]
            ),
            "the receipt again",
        )
        assert centre.opened(resent) == played
        centre.send(centre.play(chain, to="terminal:T-KILLED", nonce="again"))
        centre.fence()
        assert len({each["nonce"] for each in centre.receipts(f"{chain}-1") if each["stage"] == "playing"}) == 1
        assert device.end(signal.SIGTERM) == 0
        assert centre.states()[-1]["online"] is False
