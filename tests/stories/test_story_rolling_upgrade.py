"""A rolling upgrade: the store is migrated under workers of the version before, which go on, and may even start again."""

import asyncio
from pathlib import Path

import httpx

from tests import invariants, stores
from tests.fakes.other_version import NEXT, next_version, run, version_at
from tests.fakes.served import Served, serving
from tests.fakes.workers import PLANS, Centre, One, centre_at
from tests.ports import free_port
from tests.simulation.county import recipients_csv, regions_csv
from tests.simulation.documents import document, flood
from tests.waiting import until
from warnd.clock import SystemClock
from warnd.ledger.migrations import version
from warnd.ledger.migrations.readers import require
from warnd.ledger.store import upgrade
from warnd.model.cap import Alert

BEFORE = "4124cd5"  # The last version that knows two migrations; it serves SQLite only.
SERVE = ("warnd", "serve", "--config", "{config}")


@stores.only("sqlite", "the version before knows no other")
async def test_the_version_before_finishes_on_the_migrated_store_and_this_one_takes_it_over(tmp_path: Path) -> None:
    tree = await asyncio.to_thread(version_at, BEFORE, tmp_path / "before")
    config, port, token = await asyncio.to_thread(_centre_of, tree, tmp_path)
    log, url = tmp_path / "serve.log", f"sqlite:///{tmp_path / 'warnd.sqlite'}"
    async with serving(config, port=port, log=log, tree=tree) as served:
        first = await _post(served, _flood("QH-1"), token)
        assert _stands_at(url) == "0002"
        assert await asyncio.to_thread(upgrade, url) is None
        second = await _post(served, _flood("QH-2"), token)
        for warning in (first, second):
            await _completed(served, warning, token)
    async with serving(config, port=port, log=log) as served:
        await _post(served, _flood("QH-3"), token)
        for warning in (first, second):
            await _completed(served, warning, token)
        async with _caller(served, token) as caller:
            told = (await caller.get("/api/v1/warnings")).json()["warnings"]
        assert {each["identifier"] for each in told} == {"QH-1", "QH-2", "QH-3"}
    with stores.reading(url) as conn:
        invariants.check(conn)


@stores.only("postgresql", "only there may two share a store")
async def test_this_version_and_the_next_share_a_warning_and_this_one_can_start_again(tmp_path: Path) -> None:
    url = stores.new_database(empty=True)
    tree = await asyncio.to_thread(next_version, tmp_path / "next")
    async with centre_at(url, tmp_path, households=40) as made:
        old = await _start(made, "old")
        await made.all_answer()
        told = await asyncio.to_thread(run, tree, "db", "upgrade", "--config", str(tmp_path / "old.toml"))
        assert "at this version" in told
        await _start(made, "new", tree=tree)
        await made.all_answer()
        await old.release(_flood("QH-1"))
        await until(lambda: _sent(made, "old") and _sent(made, "new"), timeout_s=60)
        await old.kill()
        old = await _start(made, "old")
        await made.all_answer()
        assert f'"migration": "{NEXT}"' in old.log.read_text("utf-8")
        await until(lambda: made.number("SELECT count(*) FROM delivery WHERE evidence = 0") == 0, timeout_s=60)
        made.check(invariants.check)
        await _is_refused_once_it_knows_too_little(made, old)


async def _is_refused_once_it_knows_too_little(made: Centre, old: One) -> None:
    await old.kill()
    with made.engine.begin() as conn:
        require(conn, revision=NEXT)
    old = await _start(made, "old")
    assert await asyncio.wait_for(old.process.wait(), 20) == 3
    assert f"migration {NEXT}, which is newer than this warnd" in old.log.read_text("utf-8")


def _centre_of(tree: Path, folder: Path) -> tuple[Path, int, str]:
    """Set up a centre as its operators did with that version."""
    port, config = free_port(), folder / "warnd.toml"
    config.write_text(
        f'plans_file = "plans.toml"\nstore.url = "sqlite:///warnd.sqlite"\nhttp.listen = "127.0.0.1:{port}"\nsms.spool.dir = "spool"\n'
        'node.languages = ["zh", "en"]\n',
        "utf-8",
    )
    (folder / "plans.toml").write_text(PLANS, "utf-8")
    for name, told in (("regions", regions_csv()), ("recipients", recipients_csv(households=2))):
        (folder / f"{name}.csv").write_text(told, "utf-8")
        run(tree, "import", name, str(folder / f"{name}.csv"), "--config", str(config))
    return config, port, run(tree, "token", "create", "--scope", "release", "--config", str(config)).strip()


def _stands_at(url: str) -> str | None:
    with stores.reading(url) as conn:
        return version(conn)


async def _start(made: Centre, name: str, *, tree: Path | None = None) -> One:
    spool = made.folder / name / "spool"
    spool.mkdir(parents=True, exist_ok=True)
    return await made.start(name, f'[sms]\nspool.dir = "{spool}"\nrate_per_s = 40\n', SERVE, tree=tree)


def _sent(made: Centre, name: str) -> bool:
    return any((made.folder / name / "spool" / "out").glob("*.json"))


def _flood(identifier: str) -> Alert:
    return flood(identifier=identifier, level="yellow", sent=SystemClock().now().replace(microsecond=0))


def _caller(served: Served, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=served.url, headers={"Authorization": f"Bearer {token}"}, timeout=15)


async def _post(served: Served, alert: Alert, token: str) -> str:
    async with _caller(served, token) as caller:
        answer = await caller.post("/api/v1/warnings", content=document(alert), headers={"Content-Type": "text/xml"})
    assert answer.status_code == httpx.codes.CREATED, answer.text
    return str(answer.json()["id"])


async def _completed(served: Served, warning: str, token: str) -> None:
    state = ""
    async with asyncio.timeout(60), _caller(served, token) as caller:
        while state != "completed":
            state = (await caller.get(f"/api/v1/warnings/{warning}")).json()["state"]
