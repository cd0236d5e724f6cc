"""Celery posting the same texts: sent to redis before, then worked off by a worker of threads with `requests`. Prints its seconds.

Run by a Python with the packages of peers.txt: peer_celery.py REDIS URL COUNT; the worker that it starts runs this file, too.
"""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from time import perf_counter

import redis  # type: ignore[import-not-found,import-untyped,unused-ignore] # of peers.txt; no part of the project
import requests  # type: ignore[import-untyped,unused-ignore] # as above
from celery import Celery  # type: ignore[import-not-found,import-untyped,unused-ignore] # as above

_BODY = "【清河预警】洪水红色预警：清河县。请立即转移到高处。"
_PATH = "/2010-04-01/Accounts/AC" + "0" * 32 + "/Messages.json"
_DONE = "texts-done"
_THREADS = 20
_BROKER = os.environ.get("PEER_BROKER", "")

app = Celery("peer_celery", broker=_BROKER)
app.conf.update(task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=4)


@cache
def _session() -> requests.Session:
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=_THREADS))
    session.auth = ("AC", "token")
    return session


@cache
def _counter() -> "redis.Redis":
    return redis.Redis.from_url(_BROKER)


@app.task(name="text")  # type: ignore[untyped-decorator,misc,unused-ignore] # the package is not there for mypy
def text(number: int) -> None:
    """Post one text."""
    form = {
        "To": f"+86130{number:08d}",
        "From": "+15005550006",
        "Body": _BODY,
        "StatusCallback": f"https://warn.example/receipts/twilio/status?attempt=tag-{number}-1",
        "ValidityPeriod": "3600",
    }
    answer = _session().post(os.environ["PEER_URL"] + _PATH, data=form, timeout=10)
    assert answer.json()["sid"]
    _counter().incr(_DONE)


def _work_off(broker: str, url: str, count: int) -> float:
    environment = {**os.environ, "PEER_BROKER": broker, "PEER_URL": url}
    app.conf.broker_url = broker
    for number in range(count):
        text.delay(number)
    known = redis.Redis.from_url(broker)
    arguments = ["-A", "peer_celery", "worker", "-P", "threads", "-c", str(_THREADS), "-l", "error", "--without-gossip"]
    with subprocess.Popen(
        [sys.executable, "-m", "celery", *arguments],
        env=environment,
        cwd=Path(__file__).parent,
        stdout=subprocess.DEVNULL,
    ) as worker:
        while int(known.get(_DONE) or 0) == 0:  # Its start does not count.
            assert worker.poll() is None, "the worker ended"
        first, began = int(known.get(_DONE)), perf_counter()
        while int(known.get(_DONE)) < count:
            assert worker.poll() is None, "the worker ended"
        took = perf_counter() - began
        worker.kill()
    return took * count / (count - first)


if __name__ == "__main__":
    print(_work_off(sys.argv[1], sys.argv[2], int(sys.argv[3])))  # noqa: T201 - its answer
