"""The command line: exit codes, `--json`, settings, imports; everything as a child process."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests import stores
from tests.outside import county
from tests.outside.broker import needs_mosquitto
from tests.outside.cap import alert
from tests.outside.county import Village
from tests.outside.house import DRILL_KEY, LIVE_KEY, Api, House
from tests.outside.wire import DRILL, LIVE, command_kid, public_text
from tests.ports import free_port


@pytest.fixture
def room(tmp_path: Path) -> House:
    """A folder with the least settings and no daemon."""
    house = House(tmp_path, free_port())
    house.config.write_text(
        f'[node]\nname = "Room"\n[store]\nurl = "{stores.store_url(tmp_path, "ledger")}"\n[http]\nlisten = "127.0.0.1:{house.port}"\n',
        "utf-8",
    )
    return house


def put(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@needs_mosquitto
def test_submit_prints_the_documents_and_exits_by_the_answer(
    house: House, village: Village, tmp_path: Path, api: Api
) -> None:
    token = house.token("release")
    good = alert([village.code])
    told = house.warnd("submit", put(tmp_path, "good.xml", good.xml()), "--json", token=token)
    assert told.returncode == 0, told.stderr
    made = json.loads(told.stdout)
    assert made["identifier"] == good.identifier
    assert house.warnd("submit", tmp_path / "good.xml", token=token).returncode == 0
    changes: dict[str, dict[str, Any]] = {"held": {"level": None}, "refused": {"expires_s": None}}
    for name, change in changes.items():
        told = house.warnd("submit", put(tmp_path, f"{name}.xml", alert([village.code], **change).xml()), token=token)
        assert told.returncode == 1, told.stdout + told.stderr
        assert {"held": "level", "refused": "expires"}[name] in told.stdout + told.stderr
    assert house.warnd("submit", tmp_path / "missing.xml", token=token).returncode in {2, 3}
    assert house.warnd("submit", tmp_path / "good.xml", token="wrong").returncode in {1, 3}
    assert api.warning(made["id"])["id"] == made["id"]


@needs_mosquitto
def test_json_is_the_http_document_unchanged(house: House, api: Api, village: Village) -> None:
    made = api.release(alert([village.code], level="blue"))
    api.until_planned(made["id"])
    api.until_evidence(made["id"], village.officer, "accepted")
    token = house.token("read")
    status = house.warnd("status", made["id"], "--json", token=token)
    assert (status.returncode, json.loads(status.stdout)) == (0, api.warning(made["id"]))
    coverage = house.warnd("coverage", made["id"], "--json", token=token)
    shown, served = json.loads(coverage.stdout), api.coverage(made["id"])
    assert coverage.returncode == 1, "a village is unconfirmed"
    assert {**shown, "at": None} == {**served, "at": None}
    listed = house.warnd("status", "--json", token=token)
    assert set(json.loads(listed.stdout)) == {"warnings", "cursor"}
    explained = house.warnd("explain", made["id"], village.officer, "--json", token=token)
    assert explained.returncode == 0
    assert village.officer in explained.stdout
    assert house.warnd("explain", made["id"], "nobody", token=token).returncode == 1
    assert house.warnd("status", "no-such-warning", token=token).returncode == 1


@needs_mosquitto
def test_cancel_needs_one_kind_and_a_reason(house: House, api: Api, village: Village) -> None:
    made = api.release(alert([village.code]))
    token = house.token("release")
    for wrong in (["--lift"], ["--reason", "x"], ["--lift", "--retract", "--reason", "x"]):
        assert house.warnd("cancel", made["id"], *wrong, token=token).returncode == 2
    told = house.warnd("cancel", made["id"], "--retract", "--reason", "误发", "--json", token=token)
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["msg_type"] == "Cancel"
    assert api.warning(made["id"])["state"] == "cancelled"
    assert house.warnd("cancel", made["id"], "--lift", "--reason", "x", token=token).returncode == 1


@needs_mosquitto
def test_approve_releases_what_waits(house: House, api: Api, village: Village) -> None:
    waiting = house.api("submit").post(alert([village.code])).json()["id"]
    told = house.warnd("approve", waiting, token=house.token("release"))
    assert told.returncode == 0, told.stderr
    assert api.warning(waiting)["state"] in {"dispatching", "completed"}
    assert house.warnd("approve", waiting, token=house.token("release")).returncode == 1


@needs_mosquitto
def test_preview_says_who_would_hear(house: House, village: Village, tmp_path: Path, api: Api) -> None:
    document = alert([village.code])
    told = house.warnd("preview", put(tmp_path, "p.xml", document.xml()), token=house.token("submit"))
    assert told.returncode == 0, told.stderr
    assert api.get("/api/v1/warnings", identifier=document.identifier)["warnings"] == []
    held = put(tmp_path, "h.xml", alert([village.code], level=None).xml())
    assert house.warnd("preview", held, token=house.token("submit")).returncode == 1


@needs_mosquitto
def test_the_record_verifies_beside_the_running_daemon(house: House) -> None:
    told = house.warnd("audit", "verify")
    assert told.returncode == 0, told.stdout + told.stderr


def test_nobody_to_talk_to_is_3(room: House, tmp_path: Path) -> None:
    path = put(tmp_path, "a.xml", alert(["770101"]).xml())
    for command in (["status"], ["submit", str(path)], ["coverage", "x"]):
        told = room.warnd(*command, token="t")
        assert told.returncode == 3, told.stdout + told.stderr
        assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["status", "--nonsense"], ["coverage"], ["token", "create", "--scope", "all"]]
)
def test_bad_usage_is_2(room: House, arguments: list[str]) -> None:
    assert room.warnd(*arguments).returncode == 2


MISTAKES = """[node]
name = "x"
[http]
listen = "8080"
listne = "x"
[htttp]
[store]
url = "mysql://x"
"""


def test_all_mistakes_in_the_settings_are_told_by_line(room: House) -> None:
    room.config.write_text(MISTAKES, "utf-8")
    told = room.warnd("check")
    words = told.stdout + told.stderr
    assert told.returncode in {1, 2}, words
    for line, name in ((4, "listen"), (5, "listne"), (6, "htttp"), (8, "url")):
        assert [each for each in words.splitlines() if f"warnd.toml:{line}" in each and name in each], words
    assert "Traceback" not in words


def test_serve_refuses_bad_settings(room: House) -> None:
    room.config.write_text("[node]\nname = \n", "utf-8")
    told = room.warnd("serve")
    assert told.returncode in {1, 2, 3}
    assert "warnd.toml:2" in told.stdout + told.stderr


def test_the_environment_overrides_the_file_and_is_checked_too(room: House) -> None:
    told = room.warnd("check", WARND_HTTP__LISTEN="nonsense")
    assert told.returncode in {1, 2}
    assert "WARND_HTTP__LISTEN" in told.stdout + told.stderr
    told = room.warnd("check", WARND_HTTP__LISTNE="127.0.0.1:1")
    assert told.returncode in {1, 2}
    assert "WARND_HTTP__LISTNE" in told.stdout + told.stderr
    room.config.write_text('[http]\nlisten = "nonsense"\n', "utf-8")
    assert room.warnd("check", WARND_HTTP__LISTEN="127.0.0.1:0", WARND_STORE__URL="sqlite:///x.sqlite").returncode == 0


def test_token_create_prints_only_the_token_and_makes_the_store(room: House) -> None:
    told = room.warnd("token", "create", "--scope", "submit", "--scope", "read")
    assert told.returncode == 0, told.stderr
    assert len(told.stdout.split()) == 1
    assert room.warnd("audit", "verify").returncode == 0, "there is a store"


@stores.only("sqlite", "is about where a file is made")
def test_relative_paths_start_at_the_settings_folder(room: House, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    moved = House(elsewhere, room.port)
    room.config.write_text('[store]\nurl = "sqlite:///ledger.sqlite"\n', "utf-8")
    assert moved.warnd("db", "upgrade", "--config", room.config).returncode == 0
    assert (room.folder / "ledger.sqlite").exists()
    assert list(elsewhere.iterdir()) == []


@stores.only("sqlite", "is about where a file is made")
def test_the_settings_of_the_working_directory_are_found(room: House) -> None:
    (room.folder / "config").mkdir()
    room.config.write_text('[store]\nurl = "sqlite:///ledger.sqlite"\n', "utf-8")
    room.config.rename(room.folder / "config" / "warnd.toml")
    told = room.warnd("db", "upgrade", WARND_CONFIG="")
    assert told.returncode == 0, told.stderr
    assert (room.folder / "config" / "ledger.sqlite").exists()


BAD_ROWS = f"""{county.RECIPIENTS_HEAD}
good-1,person,甲,770101101201,information_officer,zh,+8613912345678,,,,
bad-kind,animal,乙,770101101201,,zh,,,,,
bad-region,person,丙,123,information_officer,zh,+8613912345679,,,,
good-1,person,甲,770101101201,,zh,,,,,
T-1,terminal,丁,770101101201,,zh,,,,,not-a-key
bad-point,person,戊,770101101201,,zh,,,91,0,
"""


def test_bad_rows_are_told_by_line_and_nothing_is_imported(room: House, tmp_path: Path) -> None:
    regions = put(tmp_path, "regions.csv", county.regions_csv())
    assert room.warnd("import", "regions", regions, "--dry-run").returncode == 0
    assert room.warnd("import", "recipients", put(tmp_path, "p.csv", county.recipients_csv())).returncode == 1, (
        "dry run"
    )
    assert room.warnd("import", "regions", regions).returncode == 0
    told = room.warnd("import", "recipients", put(tmp_path, "bad.csv", BAD_ROWS))
    assert told.returncode == 1
    words = told.stdout + told.stderr
    for line in (3, 4, 5, 6, 7):
        assert f"bad.csv:{line}" in words or f"line {line}" in words, words
    again = room.warnd(
        "import", "recipients", put(tmp_path, "good.csv", "\n".join(BAD_ROWS.splitlines()[:2]) + "\n"), "--json"
    )
    assert json.loads(again.stdout)["new"] == 1, "nothing of the bad file had come in"
    changed = room.warnd(
        "import",
        "recipients",
        put(tmp_path, "g2.csv", "\n".join(BAD_ROWS.splitlines()[:2]).replace("甲", "甲某") + "\n"),
        "--json",
    )
    summary = json.loads(changed.stdout)
    assert (summary["new"], summary["changed"], summary["unchanged"]) == (0, 1, 0)
    same = json.loads(room.warnd("import", "recipients", tmp_path / "g2.csv", "--json").stdout)
    assert (same["new"], same["changed"], same["unchanged"]) == (0, 0, 1)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("regions.csv", b""),
        ("recipients.csv", b"a;b;c\n1;2;3\n"),
        ("regions.geojson", b'{"type":"FeatureCollection","features":[{}]}'),
    ],
)
def test_rubbish_is_not_imported(shared_room: House, name: str, content: bytes) -> None:
    told = shared_room.warnd("import", name.partition(".")[0], put(shared_room.folder, name, content))
    assert told.returncode in {1, 2}, told.stdout + told.stderr
    assert "Traceback" not in told.stderr


@pytest.fixture(scope="module")
def shared_room(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A folder with a store that keeps nothing, made once: every start of the program costs half a second."""
    house = House(tmp_path_factory.mktemp("rubbish"), free_port())
    house.config.write_text(f'[store]\nurl = "{stores.store_url(house.folder)}"\n', "utf-8")
    return house


def test_terminal_keys_follow_the_contracts_forms(room: House, tmp_path: Path) -> None:
    made = room.warnd("terminal", "keys", "generate", tmp_path / "t.pem")
    assert made.returncode == 0, made.stderr
    key = load_pem_private_key((tmp_path / "t.pem").read_bytes(), password=None)
    assert b"BEGIN PRIVATE KEY" in (tmp_path / "t.pem").read_bytes()
    assert (tmp_path / "t.pem").stat().st_mode & 0o077 == 0
    assert public_text(key) in made.stdout  # type: ignore[arg-type] # an Ed25519 key, or this fails
    public = room.warnd("terminal", "keys", "public", tmp_path / "t.pem")
    assert public.stdout.strip() == public_text(key)  # type: ignore[arg-type] # an Ed25519 key, or this fails


@needs_mosquitto
def test_terminal_keys_trust_prints_the_trust_file(house: House) -> None:
    told = house.warnd("terminal", "keys", "trust", "--live", "live.pem", "--drill", "drill.pem")
    assert told.returncode == 0, told.stderr
    trust = json.loads(told.stdout)
    assert set(trust) == {command_kid(LIVE_KEY), command_kid(DRILL_KEY)}
    for key, root in ((LIVE_KEY, LIVE), (DRILL_KEY, DRILL)):
        entry = trust[command_kid(key)]
        assert set(entry) == {"public_key", "root", "regions", "not_after"}
        assert (entry["public_key"], entry["root"]) == (public_text(key), root)
