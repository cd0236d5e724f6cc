"""How long stores live: as long as the fixture that made them, else as long as their test.

A plugin of its own: what stands in a conftest file is not asked about fixtures of the whole session.
"""

from collections.abc import Generator

import pytest

from tests import stores


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
    """Let a store live as long as the fixture that made it."""
    with stores.made_for(fixturedef.scope):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, None, None]:
    """Throw stores away when nobody needs them any more."""
    yield
    stores.drop("function")
    if nextitem is None or nextitem.path != item.path:
        stores.drop("module")
