"""`warnd terminal keys provision|rotate|revoke` at a real broker: who gets in, who no longer does, whose receipts are believed."""

import asyncio
import json
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from typer.main import get_command

from tests.fakes.broker import ADMIN, ADMIN_PASSWORD, Broker, needs_mosquitto, running_broker
from tests.fakes.command import Ran, run
from tests.fakes.loudspeaker import DRILL_KEY, LIVE_KEY
from tests.fleet.caller import calling
from tests.simulation.county import VILLAGES, found, recipients_csv
from tests.stores import store_url
from warnd.cli import terminal
from warnd.cli.broker_passwords import change
from warnd.cli.terminal_kit import INSTALLED
from warnd.clock import SystemClock
from warnd.ledger import keys
from warnd.ledger.store import open_engine
from warnd.ledger.values import to_ms
from warnd.model.loudspeaker import load_private_key, load_trust, private_key_pem, public_bytes
from warnd.resources import shipped

pytestmark = needs_mosquitto

NEW, STANDING = "T-0007", f"term-{VILLAGES[0]}"


@dataclass(frozen=True)
class Centre:
    """A warning centre whose settings say how the broker's users are changed."""

    folder: Path
    broker: Broker
    dynamic: bool

    def keys(self, *words: str) -> Ran:
        """Run `warnd terminal keys WORDS…` with this centre's settings."""
        return run("terminal", "keys", *words, WARND_CONFIG=str(self.folder / "warnd.toml"))

    def provision(self, *words: str) -> Ran:
        return self.keys("provision", NEW, "--region", VILLAGES[1], "--out", str(self.folder / "out"), *words)

    def believed(self, terminal: str, *, in_days: int = 0) -> set[bytes]:
        """Return the keys that are believed of a terminal, now or later."""
        now_ms = to_ms(SystemClock().now() + timedelta(days=in_days))
        engine = open_engine(store_url(self.folder))
        with engine.begin() as conn:
            own = keys.current(conn, terminal_id=terminal, now_ms=now_ms)
            older = keys.older(conn, terminal_id=terminal, now_ms=now_ms)
        engine.dispose()
        return {key for key in (own, *older) if key is not None}

    def reload(self) -> None:
        """Do what the command reminds of."""
        if not self.dynamic:
            self.broker.signal(signal.SIGHUP)
            self.broker.wait_for("Reloading config")


@pytest.fixture(params=["password files", "dynamic security"])
def centre(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Centre]:
    dynamic = request.param == "dynamic security"
    found(store_url(tmp_path), tmp_path, clock=SystemClock(), recipients=recipients_csv(households=0))
    for name, key in (("live", LIVE_KEY), ("drill", DRILL_KEY)):
        (tmp_path / f"{name}.pem").write_bytes(private_key_pem(key))
    (tmp_path / "admin-password").write_text(ADMIN_PASSWORD)
    configuration = "dynamic-security.conf" if dynamic else "mosquitto.conf"
    with running_broker(tmp_path, users={} if dynamic else {"warnd": "x"}, configuration=configuration) as broker:
        how = (
            f'username = "{ADMIN}"\npassword_file = "admin-password"\n'
            if dynamic
            else 'passwords = "mosquitto/passwords"\ndrill_passwords = "mosquitto/passwords-drill"\n'
        )
        (tmp_path / "warnd.toml").write_text(
            f'store.url = "{store_url(tmp_path)}"\n[mqtt]\nport = {broker.port}\nsigning_key_file = "live.pem"\n'
            f'[mqtt.drill]\nport = {broker.port if dynamic else broker.drill_port}\nsigning_key_file = "drill.pem"\n'
            f"[mqtt.admin]\n{how}"
        )
        yield Centre(tmp_path, broker, dynamic)


async def lets_in(centre: Centre, user: str, password: str, *, port: int) -> bool:
    try:
        async with calling(centre.broker.host, port, user=user, password=password):
            return True
    except AssertionError:
        return False


def as_the_unit_starts_it(kit: Path) -> dict[str, object]:
    """Return the options that the shipped unit gives with this kit's environment: systemd's words are a shell's where nothing is quoted."""
    unit = (shipped("systemd") / "warnd-terminal.service").read_text("utf-8").replace("\\\n", "")
    (start,) = re.findall(r"^ExecStart=\S+ terminal run (.*)$", unit, re.MULTILINE)
    (first,) = re.findall(r"^Environment=(.*)$", unit, re.MULTILINE)
    given = "; ".join(f"{name}='{value}'" for name, _, value in (word.partition("=") for word in shlex.split(first)))
    script = f'{given}; . "{kit}/terminal.env"; printf "%s\\n" {start}'
    words = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True, timeout=10).stdout
    options = get_command(terminal.app).commands["run"].make_context("run", words.splitlines()).params  # type: ignore[attr-defined] # a group
    return {name: value for name, value in options.items() if value and name not in {"mixer", "heartbeat"}}


async def test_a_provisioned_terminal_gets_in_with_what_lies_in_its_folder(centre: Centre) -> None:
    ran = await asyncio.to_thread(centre.provision, "--register")
    assert ran.code == 0, ran.err
    centre.reload()
    kit = centre.folder / "out" / NEW
    assert {path.name for path in kit.iterdir()} == {
        "key.pem",
        "password",
        "drill-password",
        "trust.json",
        "terminal.env",
    }
    assert [path.stat().st_mode & 0o777 for path in (kit / "key.pem", kit / "password")] == [0o600, 0o600]
    assert {key.public_key for key in load_trust(kit / "trust.json").values()} == {
        public_bytes(LIVE_KEY),
        public_bytes(DRILL_KEY),
    }
    assert centre.believed(NEW) == {public_bytes(load_private_key(kit / "key.pem"))}
    live, drill = ((kit / name).read_text().strip() for name in ("password", "drill-password"))
    drill_user = f"{NEW}-drill" if centre.dynamic else NEW
    drill_port = centre.broker.port if centre.dynamic else centre.broker.drill_port
    assert as_the_unit_starts_it(kit) == {
        "terminal": NEW,
        "region": VILLAGES[1],
        "broker": f"mqtt://127.0.0.1:{centre.broker.port}",
        "key": INSTALLED / "key.pem",
        "trust": INSTALLED / "trust.json",
        "state": Path("/var/lib/warnd-terminal"),
        "ca_file": INSTALLED / "ca.crt",
        "password_file": INSTALLED / "password",
        "drill_broker": f"mqtt://{drill_user}@127.0.0.1:{drill_port}",
        "drill_password_file": INSTALLED / "drill-password",
    }
    assert await lets_in(centre, NEW, live, port=centre.broker.port)
    assert await lets_in(centre, drill_user, drill, port=drill_port)
    assert not await lets_in(centre, drill_user, live, port=drill_port)


def test_provisioning_again_keeps_key_and_passwords_and_prints_the_same_row(centre: Centre) -> None:
    first = centre.provision()
    again = centre.provision()
    assert (again.code, again.out) == (0, first.out)
    assert first.out.splitlines()[1].startswith(f"{NEW},terminal,{NEW},{VILLAGES[1]},")
    assert json.loads(centre.provision("--json").out)["terminals"][0]["id"] == NEW


def test_a_dry_run_changes_nothing(centre: Centre) -> None:
    for ran in (
        centre.provision("--dry-run"),
        centre.keys("rotate", STANDING, "--out", str(centre.folder / "out"), "--dry-run"),
        centre.keys("revoke", STANDING, "--dry-run"),
    ):
        assert (ran.code, bool(ran.out)) == (0, True), ran.err
    assert not (centre.folder / "out").exists()
    assert len(centre.believed(STANDING)) == 1


def test_a_rotated_key_is_believed_beside_the_old_one_until_the_overlap_ends(centre: Centre) -> None:
    (old,) = centre.believed(STANDING)
    ran = centre.keys("rotate", STANDING, "--out", str(centre.folder / "new"), "--overlap-days", "3")
    assert ran.code == 0, ran.err
    new = public_bytes(load_private_key(centre.folder / "new" / STANDING / "key.pem"))
    assert not (centre.folder / "new" / STANDING / "password").exists()
    assert centre.believed(STANDING) == {old, new}
    assert centre.believed(STANDING, in_days=4) == {new}
    again = centre.keys("rotate", STANDING, "--out", str(centre.folder / "new"))
    assert (again.code, "already" in again.err) == (1, True)


async def test_a_revoked_terminal_is_shut_out_and_believed_no_more(centre: Centre) -> None:
    assert (await asyncio.to_thread(centre.provision, "--register")).code == 0
    centre.reload()
    password = (centre.folder / "out" / NEW / "password").read_text().strip()
    async with calling(centre.broker.host, centre.broker.port, user=NEW, password=password) as caller:
        for _ in range(2):
            ran = await asyncio.to_thread(centre.keys, "revoke", NEW)
            assert ran.code == 0, ran.err
        centre.reload()
        if centre.dynamic:
            with pytest.raises(ConnectionError):
                await caller.until_heard("never")
        else:
            assert "restart the broker" in ran.err
    assert not await lets_in(centre, NEW, password, port=centre.broker.port)
    assert centre.believed(NEW) == set()
    assert len(centre.believed(STANDING)) == 1


async def test_the_daemon_gets_in_with_the_accounts_of_its_settings(centre: Centre) -> None:
    for name in ("live", "drill"):
        (centre.folder / f"{name}-password").write_text(f"{name} word")
    config = centre.folder / "warnd.toml"
    told = config.read_text().replace("[mqtt]\n", '[mqtt]\nusername = "warnd"\npassword_file = "live-password"\n')
    drill_user = "warnd-drill" if centre.dynamic else "warnd"
    account = f'[mqtt.drill]\nusername = "{drill_user}"\npassword_file = "drill-password"\n'
    config.write_text(told.replace("[mqtt.drill]\n", account))
    ran = await asyncio.to_thread(centre.keys, "daemon")
    assert (ran.code, ran.out) == (0, f"warnd: may log in\n{drill_user}: may log in\n"), ran.err
    centre.reload()
    drill_port = centre.broker.port if centre.dynamic else centre.broker.drill_port
    assert await lets_in(centre, "warnd", "live word", port=centre.broker.port)
    assert await lets_in(centre, drill_user, "drill word", port=drill_port)


def test_a_daemon_without_accounts_in_its_settings_is_told_so(centre: Centre) -> None:
    ran = centre.keys("daemon")
    assert (ran.code, "[mqtt] has no username" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["revoke", "a/b"], 2, "no terminal id"),
        (["revoke", "warnd"], 2, "cannot be a terminal's id"),
        (["revoke", "x-drill"], 2, "cannot be a terminal's id"),
        (["revoke", "x", "x"], 2, "twice"),
        (["provision", "..", "--region", "1", "--out", "out"], 2, "names a folder"),
        (["provision", "T$(id)", "--region", "1", "--out", "out"], 2, "names a folder"),
        (["rotate", "T-9999", "--out", "out"], 1, "no terminal with this id"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, words: list[str], code: int, told: str) -> None:
    (tmp_path / "live.pem").write_bytes(private_key_pem(LIVE_KEY))
    (tmp_path / "warnd.toml").write_text(
        f'store.url = "{store_url(tmp_path)}"\n[mqtt]\nsigning_key_file = "live.pem"\n[mqtt.admin]\npasswords = "p"\n'
    )
    ran = run("terminal", "keys", *words, WARND_CONFIG=str(tmp_path / "warnd.toml"))
    assert (ran.code, ran.out) == (code, "")
    assert told in ran.err


def test_without_a_way_to_change_users_the_settings_that_are_missing_are_named(tmp_path: Path) -> None:
    (tmp_path / "live.pem").write_bytes(private_key_pem(LIVE_KEY))
    (tmp_path / "warnd.toml").write_text('[mqtt]\nsigning_key_file = "live.pem"\n')
    ran = run("terminal", "keys", "revoke", "T-1", WARND_CONFIG=str(tmp_path / "warnd.toml"))
    assert ran.code == 2
    assert "[mqtt.admin]" in ran.err


def test_a_password_file_keeps_everybody_elses_line_and_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    path.write_text("# ours\none:$7$101$a$b\ntwo:$7$101$c$d\n")
    path.chmod(0o640)
    change(path, enrol={"two": "new"}, expel=("three",))
    lines = path.read_text().splitlines()
    assert lines[:2] == ["# ours", "one:$7$101$a$b"]
    assert lines[2].startswith("two:$7$")
    assert path.stat().st_mode & 0o777 == 0o640
