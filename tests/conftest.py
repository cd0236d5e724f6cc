"""What holds for every test."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from tests import lifetimes, postgresql, stores

# Tests share the machine's cores with each other and with real servers: how long one example takes says nothing.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")

# Programs at the far end of a channel. Where CI is set, a test that misses one fails: skipped, it would look as if the channel worked.
COUNTERPARTS = (
    "mosquitto",
    "postfix",
    "smtp-sink",
    "dovecot",
    "prism",
    "espeak-ng",
    "mpg123",
    "chromium",
    "postgresql",
    "pgbouncer",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run choose its stores."""
    parser.addoption("--store", choices=stores.KINDS, default="sqlite", help="the kind of store that tests use")
    parser.addoption("--near-the-store", action="store_true", help="leave out tests whose subject is another's far end")


def pytest_configure(config: pytest.Config) -> None:
    """Tell the tests which stores were chosen."""
    stores.use(config.getoption("--store"))
    config.pluginmanager.register(lifetimes)


def pytest_sessionstart(session: pytest.Session) -> None:
    """End a run on PostgreSQL where it is not installed: every test of it would be skipped. In CI nothing may be missing."""
    if stores.kind() == "postgresql" and postgresql.programs() is None and not hasattr(session.config, "workerinput"):
        pytest.exit("postgresql is not installed; the run on SQLite stands alone", 1 if os.environ.get("CI") else 0)


def pytest_unconfigure() -> None:
    """End the servers of the stores."""
    postgresql.stop()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave tests that have no store to the run on SQLite: a second run of them would tell nothing new."""
    if collection_path.suffix != ".py":
        return None
    far = config.getoption("--near-the-store") and stores.far(collection_path)
    return True if far or not stores.concerns(collection_path) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is about another kind of store."""
    for item in items:
        for mark in item.iter_markers("store"):
            if mark.args[0] != stores.kind():
                item.add_marker(pytest.mark.skip(f"about {mark.args[0]}: {mark.args[1]}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip for want of a counterpart into a failure in CI."""
    report = yield
    why = str(call.excinfo.value) if report.skipped and call.excinfo is not None else ""
    if os.environ.get("CI") and any(f"{name} is not installed" in why for name in COUNTERPARTS):
        report.outcome = "failed"
        report.longrepr = f"{why}; where CI is set, nothing at the far end of a channel may be missing"
    return report


@pytest.fixture(autouse=True)
def _logs_as_they_begin() -> Iterator[None]:
    """Undo what a test of the command line told the logs to do, or the next test's would be lost with that test's output."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
