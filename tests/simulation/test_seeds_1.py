"""Scenarios drawn from seeds: whatever happens to providers, store, clock and daemons, no rule is broken (docs/simulation.md)."""

import pytest

from tests.simulation.seeded.many import hold
from tests.stores import only

pytestmark = only("sqlite", "plays on SQLite in memory, whatever the run")


@pytest.mark.parametrize("first", range(1, 105, 13))
def test_whatever_happens_no_rule_is_broken(first: int) -> None:
    hold(range(first, first + 13))
