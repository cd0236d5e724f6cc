"""`warnd terminal` as people and systemd run it: keys, errors, one real process that is killed and comes back, its size."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.fakes.broker import Broker, needs_mosquitto, running_broker
from tests.fakes.centre_at_broker import Centre, centre_at
from tests.fakes.command import run
from tests.fakes.loudspeaker import DRILL_KEY, LIVE_KEY, PLAY, TERMINAL, TERMINAL_KEY, TRUST, VILLAGE, to_terminal
from warnd.clock import SystemClock
from warnd.model.loudspeaker import (
    DRILL_ROOT,
    LIVE_ROOT,
    Command,
    Speech,
    TrustedKey,
    Verb,
    load_private_key,
    parse_trust,
    private_key_pem,
    public_bytes,
    public_key_text,
    trust_of,
    trust_text,
)

USERS = {"warnd": "centre", TERMINAL: "village"}


def fresh(command: Command) -> Command:
    """Return a command issued now, short enough for a test to hear it whole."""
    now = SystemClock().now()
    return replace(
        command, issued_at=now, expires_at=now + timedelta(hours=2), tone=None, speech=(Speech("en", "Go."),)
    )


# Keys.


def test_generate_makes_a_key_for_its_owner_only_and_prints_the_public_one(tmp_path: Path) -> None:
    ran = run("terminal", "keys", "generate", str(tmp_path / "key.pem"))
    assert ran.code == 0
    assert ran.out.strip() == public_key_text(load_private_key(tmp_path / "key.pem"))
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    assert run("terminal", "keys", "public", str(tmp_path / "key.pem")).out == ran.out


def test_generate_never_overwrites_a_key(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("precious")
    ran = run("terminal", "keys", "generate", str(tmp_path / "key.pem"))
    assert (ran.code, ran.out) == (2, "")
    assert "exists already" in ran.err
    assert (tmp_path / "key.pem").read_text() == "precious"


def test_trust_prints_the_trust_file_from_key_files_and_public_keys(tmp_path: Path) -> None:
    (tmp_path / "live.pem").write_bytes(private_key_pem(LIVE_KEY))
    options = [
        "--live",
        str(tmp_path / "live.pem"),
        "--drill",
        public_key_text(DRILL_KEY),
        "--region",
        "510181000000",
        "--region",
        "52",
    ]
    ran = run("terminal", "keys", "trust", *options, "--not-after", "2027-12-31T16:00:00Z")
    assert ran.code == 0
    end = "2027-12-31T16:00:00Z"
    assert {entry["not_after"] for entry in json.loads(ran.out).values()} == {end}
    assert {(key.public_key, key.root, key.regions) for key in parse_trust(ran.out).values()} == {
        (public_bytes(LIVE_KEY), LIVE_ROOT, ("510181", "52")),
        (public_bytes(DRILL_KEY), DRILL_ROOT, ("510181", "52")),
    }


def test_trust_lasts_to_the_end_of_its_last_day_and_is_everywhere_and_endless_by_default() -> None:
    live = public_key_text(LIVE_KEY)
    dated = run("terminal", "keys", "trust", "--live", live, "--not-after", "2027-12-31")
    assert '"not_after": "2028-01-01T00:00:00Z"' in dated.out
    plain = run("terminal", "keys", "trust", "--live", live)
    assert parse_trust(plain.out) == trust_of([TrustedKey(public_bytes(LIVE_KEY), LIVE_ROOT)])


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        ([], 2, "--live FILE"),
        (["--live", "no-such-file"], 3, "neither a key file nor a public key"),
        (["--live", public_key_text(LIVE_KEY), "--drill", public_key_text(LIVE_KEY)], 2, "key of its own"),
        (["--live", public_key_text(LIVE_KEY), "--region", "510"], 2, "2, 4, 6, 9 or 12 digits"),
        (["--live", public_key_text(LIVE_KEY), "--not-after", "soon"], 2, "2027-12-31"),
    ],
)
def test_trust_says_what_is_wrong_with_what_it_was_given(options: list[str], code: int, told: str) -> None:
    ran = run("terminal", "keys", "trust", *options)
    assert (ran.code, ran.out) == (code, "")
    assert told in ran.err


# What was given to `run`.


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Good options of `warnd terminal run`."""
    (tmp_path / "key.pem").write_bytes(private_key_pem(TERMINAL_KEY))
    (tmp_path / "trust.json").write_text(trust_text(TRUST.values()))
    return {
        "--id": TERMINAL,
        "--region": VILLAGE,
        "--broker": "mqtt://127.0.0.1:1",
        "--key": str(tmp_path / "key.pem"),
        "--trust": str(tmp_path / "trust.json"),
        "--state": str(tmp_path / "state"),
    }


@pytest.mark.parametrize(
    ("option", "value", "code", "told"),
    [
        ("--id", "a b", 2, "--id"),
        ("--region", "51//01", 2, "--region"),
        ("--broker", "http://127.0.0.1", 2, "mqtts://HOST:PORT"),
        ("--broker", "mqtt://127.0.0.1:port", 2, "mqtts://HOST:PORT"),
        ("--broker", "mqtt://", 2, "mqtts://HOST:PORT"),
        ("--drill-broker", "nonsense://x", 2, "--drill-broker"),
        ("--key", "/no/such/key", 3, "keys generate"),
        ("--trust", "/no/such/trust", 3, "keys trust"),
        ("--state", "/dev/null/state", 3, "--state"),
        ("--password-file", "/no/such/password", 3, "password"),
        ("--ca-file", "/no/such/ca", 3, "--ca-file"),
    ],
)
def test_run_says_what_is_wrong_with_what_it_was_given(
    files: dict[str, str], option: str, value: str, code: int, told: str
) -> None:
    given = {**files, option: value}
    ran = run("terminal", "run", *(word for pair in given.items() for word in pair))
    assert (ran.code, ran.out) == (code, "")
    assert told in ran.err


# A real process.


@asynccontextmanager
async def running(
    files: dict[str, str], broker: Broker, *, stderr: int = asyncio.subprocess.DEVNULL
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `warnd terminal run --silent` at a broker; end it by SIGTERM unless it has ended."""
    scheme = "mqtts" if "--ca-file" in files else "mqtt"
    given = {**files, "--broker": f"{scheme}://{TERMINAL}@{broker.host}:{broker.port}"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "warnd", "terminal", "run", "--silent"),
        *(word for pair in given.items() for word in pair),
        env={**os.environ, "WARND_TERMINAL_PASSWORD": USERS[TERMINAL]},
        stderr=stderr,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            await process.wait()


def online(centre: Centre) -> bool:
    return bool(centre.states) and centre.states[-1].online


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[tuple[Broker, Centre]]:
    with running_broker(tmp_path, users=USERS) as broker:
        async with centre_at(broker, USERS["warnd"]) as centre:
            yield broker, centre


@needs_mosquitto
async def test_a_killed_terminal_sends_its_unconfirmed_receipts_again_when_it_comes_back(
    files: dict[str, str], centre: tuple[Broker, Centre]
) -> None:
    broker, told = centre
    async with running(files, broker) as process:
        await told.until(online)
        await told.command(replace(fresh(PLAY), to=f"terminal:{TERMINAL}"))
        await told.until_told("flood-1 received", "flood-1 playing", "flood-1 played")
        await told.command(replace(fresh(to_terminal(Verb.ACK)), boot_id=told.receipts[0].boot_id, n=1))
        await told.command(replace(fresh(to_terminal(Verb.VOLUME)), volume=50))
        await told.until_told("received")  # Of the volume; so the ack before it has been taken.
        process.kill()
        await process.wait()
    first = {(receipt.boot_id, receipt.n): receipt for receipt in told.receipts}
    await told.until(lambda centre: not online(centre))
    told.receipts.clear()
    async with running(files, broker):
        await told.until_told("flood-1 playing", "flood-1 played", "received")
        again = {(receipt.boot_id, receipt.n): receipt for receipt in told.receipts}
        assert again == {number: receipt for number, receipt in first.items() if number[1] > 1}


@needs_mosquitto
async def test_a_terminal_that_is_told_to_end_says_goodbye_and_leaves_with_nought(
    files: dict[str, str], centre: tuple[Broker, Centre]
) -> None:
    broker, told = centre
    async with running(files, broker) as process:
        await told.until(online)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    await told.until(lambda centre: not online(centre))


@needs_mosquitto
async def test_a_log_on_a_full_disk_silences_nothing(files: dict[str, str], centre: tuple[Broker, Centre]) -> None:
    broker, told = centre
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        async with running(files, broker, stderr=full):
            await told.until(online)
            await told.command(replace(fresh(PLAY), to=f"terminal:{TERMINAL}"))
            await told.until_told("flood-1 played")
    finally:
        os.close(full)


def peak_kb(pid: int) -> int:
    """Return the most memory that a process has had resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def loaded(pid: int) -> str:
    """Return the files that a process has mapped."""
    return Path(f"/proc/{pid}/maps").read_text()


@needs_mosquitto
async def test_a_terminal_fits_a_village_machine_and_speaks_tls(files: dict[str, str], tmp_path: Path) -> None:
    """60 MB resident at most; the daemon's libraries are not loaded."""
    with running_broker(tmp_path, users=USERS, tls=True) as broker:
        async with centre_at(broker, USERS["warnd"]) as told:
            await _check_size(files, broker, told)


async def _check_size(files: dict[str, str], broker: Broker, told: Centre) -> None:
    async with running({**files, "--ca-file": str(broker.folder / "ca.crt")}, broker) as process:
        await told.until(online)
        await told.command(replace(fresh(PLAY), to=f"terminal:{TERMINAL}"))
        await told.until_told("flood-1 played")
        assert peak_kb(process.pid) < 60 * 1024
        assert not [name for name in ("sqlalchemy", "lxml", "shapely", "numpy") if f"/{name}" in loaded(process.pid)]


@needs_mosquitto
async def test_a_terminal_with_nothing_to_do_does_nearly_nothing(
    files: dict[str, str], centre: tuple[Broker, Centre]
) -> None:
    """1 % of one core at most, measured between two heartbeats."""
    broker, told = centre
    async with running({**files, "--heartbeat": "5"}, broker) as process:
        await told.until(lambda centre: len(centre.states) >= 2)
        began, begun = cpu_s(process.pid), SystemClock().monotonic()
        await told.until(lambda centre: len(centre.states) >= 3)
        assert (cpu_s(process.pid) - began) / (SystemClock().monotonic() - begun) <= 0.01
