"""What holds for every test."""

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

# Tests share the machine's cores with each other and with real servers: how long one example takes says nothing.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")


@pytest.fixture(autouse=True)
def _logs_as_they_begin() -> Iterator[None]:
    """Undo what a test of the command line told the logs to do, or the next test's would be lost with that test's output."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
