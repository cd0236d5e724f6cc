"""A centre whose workers reach their database through PgBouncer in transaction mode: everything that opens the store works through it."""

from pathlib import Path

from tests import invariants, stores
from tests.fakes.pgbouncer import pooled
from tests.fakes.workers import centre_at
from tests.simulation.documents import cancel_of, flood
from tests.waiting import until
from warnd.clock import SystemClock

pytestmark = stores.only("postgresql", "PgBouncer stands before PostgreSQL")

SERVE = ("warnd", "serve", "--config", "{config}")


async def test_a_warning_its_cancel_and_an_import_go_through_a_pooler_that_lends_connections(tmp_path: Path) -> None:
    with pooled(stores.new_database(empty=True)) as url:
        async with centre_at(url, tmp_path, households=3) as made:
            spool = tmp_path / "spool"
            spool.mkdir()
            for name in ("alpha", "beta"):
                await made.start(name, f'[sms]\nspool.dir = "{spool}"\n', SERVE)
            await made.all_answer()
            alpha, beta = made.workers["alpha"], made.workers["beta"]
            alert = flood(level="yellow", sent=SystemClock().now().replace(microsecond=0))
            await alpha.release(alert)
            await until(lambda: made.number("SELECT count(*) FROM delivery WHERE evidence > 0") == 18, timeout_s=30)
            await beta.release(cancel_of(alert))
            await until(lambda: made.number("SELECT count(*) FROM delivery WHERE evidence > 0") == 36, timeout_s=30)
            made.check(invariants.check)
            assert len(list((spool / "out").glob("*.json"))) == 36
            for worker in (alpha, beta):
                told = (await worker.http.get("/readyz")).json()
                assert told["ready"], told
            logs = "".join(worker.log.read_text("utf-8") for worker in (alpha, beta))
            assert '"level": "error"' not in logs
