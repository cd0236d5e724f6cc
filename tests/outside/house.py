"""One real `warnd serve`: its folder, its settings, its keys, its tokens; spoken to by HTTP, files, MQTT and the command line only."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests import stores
from tests.outside import cap, county
from tests.outside.broker import Broker, password
from tests.outside.plans import plans_toml
from tests.outside.wire import key_pem
from tests.ports import free_port

T = TypeVar("T")

PATIENCE_S = 15.0
_LOOK_AGAIN_S = 0.02
_WARND = (sys.executable, "-m", "warnd")

LIVE_KEY = county.key_of("the centre's live key")
DRILL_KEY = county.key_of("the centre's drill key")


def until(look: Callable[[], T], what: str, *, timeout_s: float = PATIENCE_S) -> T:
    """Return the first true thing that `look` gives; nothing else is waited for.

    Raises:
        AssertionError: It gave none in time; the text has `what` and the last thing.
    """
    pause, give_up_at = threading.Event(), time.monotonic() + timeout_s
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < give_up_at, f"never in {timeout_s:g} s: {what}; last: {seen!r}"
        pause.wait(_LOOK_AGAIN_S)


def child_environment() -> dict[str, str]:
    """Return what a child inherits: nothing that would be warnd's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("WARND_")}


@dataclass
class House:
    """A daemon's home. `folder` holds warnd.toml, spool/, inbox/ and the keys."""

    folder: Path
    port: int
    broker: Broker | None = None
    process: "subprocess.Popen[bytes] | None" = None
    tokens: dict[tuple[str, ...], str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    clients: "dict[tuple[str, ...], Api]" = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        return self.folder / "warnd.toml"

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    def warnd(self, *arguments: str | Path, token: str | None = None, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run one command of the program to its end."""
        environment = child_environment()
        environment |= {"WARND_URL": self.url, "WARND_CONFIG": str(self.config), "NO_COLOR": "1", "COLUMNS": "200"}
        if token is not None:
            environment["WARND_TOKEN"] = token
        return subprocess.run(
            [*_WARND, *map(str, arguments)],
            env=environment | self.environment | extra,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def token(self, scope: str, *extra: str) -> str:
        """Return a token, made once for each kind."""
        wanted = (scope, *extra)
        if wanted not in self.tokens:
            told = self.warnd("token", "create", "--scope", scope, *extra)
            assert told.returncode == 0, told.stderr
            assert told.stdout.endswith("\n")
            self.tokens[wanted] = told.stdout[:-1]
        return self.tokens[wanted]

    def api(self, scope: str | None = "release", *extra: str) -> "Api":
        """Return the client for a kind of token; None has no token."""
        wanted = (scope or "", *extra)
        if wanted not in self.clients:
            headers = {} if scope is None else {"Authorization": f"Bearer {self.token(scope, *extra)}"}
            client = httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE_S, trust_env=False)
            self.clients[wanted] = Api(client)
        return self.clients[wanted]

    def hang_up(self) -> None:
        for client in self.clients.values():
            client.http.close()
        self.clients.clear()

    def start(self, *, ready: bool = True) -> None:
        log = (self.folder / "warnd.log").open("ab")
        environment = child_environment()
        with log:
            self.process = subprocess.Popen(
                [*_WARND, "serve", "--config", str(self.config)],
                env=environment | self.environment,
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        if ready:
            until(self.is_ready, f"/readyz of the daemon; its log:\n{self.log()}", timeout_s=30)

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"warnd serve ended with {self.process.returncode}:\n{self.log()}"
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2, trust_env=False).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def log(self) -> str:
        return (self.folder / "warnd.log").read_text("utf-8", errors="replace")[-6000:]

    def stop(self) -> float:
        """End the daemon as an operator would; return how many seconds it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self.process = None
        assert code == 0, f"exit code {code}:\n{self.log()}"
        return time.monotonic() - began

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(PATIENCE_S)
        self.process = None

    def texts(self, to: str) -> list[dict[str, Any]]:
        """Return the texts written for a number, oldest first."""
        found = []
        for path in (self.spool / "out").glob("*.json"):
            if not path.name.startswith("."):
                letter = json.loads(path.read_text("utf-8"))
                if letter["to"] == to:
                    found.append((path.stat().st_mtime_ns, path.stem, letter))
        return [letter for _, _, letter in sorted(found, key=lambda each: each[:2])]

    def text(self, to: str, message_id: str, *, number: int = 1) -> dict[str, Any]:
        """Return the n-th text of a message to a number, as soon as it is there."""

        def look() -> list[dict[str, Any]]:
            letters = [letter for letter in self.texts(to) if letter["message_id"] == message_id]
            return letters if len(letters) >= number else []

        return until(look, f"text {number} of {message_id} to {to}")[number - 1]

    def deliver(self, name: str, content: Mapping[str, Any] | str) -> Path:
        """Put a report or an answer into the spool: written under another name, then renamed."""
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        hidden = self.spool / "in" / f"{name}.writing"
        hidden.write_text(text, "utf-8")
        return hidden.rename(self.spool / "in" / f"{name}.json")

    def answer(self, phone: str, text: str) -> Path:
        name = cap.fresh_identifier("answer")
        return self.deliver(name, {"from": phone, "text": text, "at": cap.moment().isoformat()})

    def report(self, attempt: str, status: str, **more: object) -> Path:
        name = cap.fresh_identifier("report")
        return self.deliver(name, {"attempt": attempt, "status": status, "at": cap.moment().isoformat(), **more})


@dataclass(frozen=True)
class Api:
    """A client with one token."""

    http: httpx.Client

    def post(self, document: cap.Cap | bytes) -> httpx.Response:
        body = document if isinstance(document, bytes) else document.xml()
        return self.http.post("/api/v1/warnings", content=body, headers=cap.CONTENT_TYPE)

    def release(self, document: cap.Cap) -> dict[str, Any]:
        """Release a warning and return its document."""
        answer = self.post(document)
        assert answer.status_code == httpx.codes.CREATED, f"{answer.status_code} {answer.text}"
        made: dict[str, Any] = answer.json()
        assert made["state"] in {"dispatching", "completed"}, made
        return made

    def get(self, path: str, **query: object) -> dict[str, Any]:
        answer = self.http.get(path, params={name: str(value) for name, value in query.items()})
        assert answer.status_code == httpx.codes.OK, f"{path}: {answer.status_code} {answer.text}"
        document: dict[str, Any] = answer.json()
        return document

    def warning(self, message_id: str) -> dict[str, Any]:
        return self.get(f"/api/v1/warnings/{message_id}")

    def coverage(self, message_id: str, **query: object) -> dict[str, Any]:
        return self.get(f"/api/v1/warnings/{message_id}/coverage", **query)

    def deliveries(self, message_id: str, **query: object) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"/api/v1/warnings/{message_id}/deliveries", **query)["deliveries"]
        return found

    def delivery(self, message_id: str, recipient: str) -> dict[str, Any]:
        """Return the one delivery of a recipient, as soon as it is planned."""
        found = until(lambda: self.deliveries(message_id, recipient=recipient), f"a delivery of {recipient}")
        assert len(found) == 1, found
        return found[0]

    def until_evidence(self, message_id: str, recipient: str, evidence: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = self.deliveries(message_id, recipient=recipient)
            return next((each for each in found if each["evidence"] == evidence), None)

        return until(look, f"{recipient} {evidence}; log") or {}

    def until_reason(self, message_id: str, village: str, reason: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            rows = self.coverage(message_id)["unconfirmed"]
            return next((row for row in rows if row["code"] == village and row["reason"] == reason), None)

        return until(look, f"{village} unconfirmed because of {reason}") or {}

    def until_planned(self, message_id: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            document = self.warning(message_id)
            return document if document["totals"]["planned"] else None

        return until(look, f"{message_id} planned") or {}


def settings(house: House, *, mqtt: bool, drill: bool) -> str:
    """Return a warnd.toml; relative paths start at its folder."""
    lines = [
        'plans_file = "plans.toml"',
        'authority_file = "authority.toml"',
        '[node]\nname = "Qinghe"\njurisdiction = ["770101"]\ntimezone = "Asia/Shanghai"\nlanguages = ["zh", "en"]',
        f'[store]\nurl = "{stores.store_url(house.folder, "ledger")}"',
        f'[http]\nlisten = "127.0.0.1:{house.port}"',
        '[intake]\nwatch_dir = "inbox"\nlevel_names = ["Colour"]',
        '[intake.levels."graded@qinghe.example"]\nSevere = "orange"\nModerate = "yellow"',
        '[sms]\nprovider = "spool"\nsignature = "清河预警"\n[sms.spool]\ndir = "spool"',
    ]
    if mqtt and house.broker is not None:
        lines.append(_link("mqtt", house.broker.port, "live", client=f"warnd-{house.port}"))
    if mqtt and drill and house.broker is not None:
        lines.append(_link("mqtt.drill", house.broker.drill_port, "drill", client=f"warnd-{house.port}-drill"))
    return "\n".join([*lines, ""])


def _link(section: str, port: int, kind: str, *, client: str) -> str:
    return (
        f'[{section}]\nhost = "127.0.0.1"\nport = {port}\nusername = "warnd"\npassword_file = "{kind}.secret"\n'
        f'signing_key_file = "{kind}.pem"\nclient_id = "{client}"'
    )


AUTHORITY = (
    '[superiors]\n"flood@qinghe.example" = ["flood@city.example"]\n"flood@city.example" = ["flood@province.example"]\n'
)


def furnished(folder: Path) -> House:
    """Write everything a daemon needs and import the directory; start nothing."""
    house = House(folder, free_port())
    for kind, key in (("live", LIVE_KEY), ("drill", DRILL_KEY)):
        _secret(folder / f"{kind}.pem", key_pem(key))
        _secret(folder / f"{kind}.secret", password("warnd", drill=kind == "drill").encode())
    house.config.write_text(settings(house, mqtt=False, drill=False), "utf-8")
    (folder / "plans.toml").write_text(plans_toml(), "utf-8")
    (folder / "authority.toml").write_text(AUTHORITY, "utf-8")
    for what, text in (("regions", county.regions_csv()), ("recipients", county.recipients_csv())):
        told = house.warnd("import", what, county.write(folder, f"{what}.csv", text))
        assert told.returncode == 0, told.stdout + told.stderr
    return house


_FURNITURE = ("plans.toml", "authority.toml", "live.pem", "drill.pem", "live.secret", "drill.secret")


def copy_of(plain: House, folder: Path, *, broker: Broker | None = None, drill: bool = True) -> House:
    """Return another house with the same directory, at a broker or with text messages only."""
    house = House(folder, free_port(), broker)
    house.inbox.mkdir()
    for name in _FURNITURE:
        shutil.copy2(plain.folder / name, folder / name)
    stores.copy(plain.folder, folder, "ledger")
    house.config.write_text(settings(house, mqtt=broker is not None, drill=drill), "utf-8")
    return house


def _secret(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)


@contextmanager
def serving(house: House) -> Iterator[House]:
    """Run the house's daemon; whatever the test did to it, nothing of it is left afterwards."""
    house.start()
    try:
        yield house
    finally:
        house.hang_up()
        if house.process is not None:
            house.process.terminate()
            try:
                house.process.wait(15)
            except subprocess.TimeoutExpired:
                house.process.kill()
                house.process.wait(5)
