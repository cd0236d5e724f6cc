"""The numbers of `/metrics`: each stands in the documentation, and what stands there is given."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from warnd.daemon.loop import Turns
from warnd.dispatch.metrics import Metrics

DOCS = Path(__file__).parents[1] / "docs"
_OF_ONE_HISTOGRAM = re.compile(r"_(bucket|count|sum)$")


def _given() -> set[str]:
    registry = CollectorRegistry()
    Metrics(registry)
    registry.register(Turns())
    return {one.name + ("_total" if one.type == "counter" else "") for one in registry.collect()}


def _told() -> set[str]:
    words = {word for page in DOCS.rglob("*.md") for word in re.findall(r"`(warnd_[a-z_]+)", page.read_text("utf-8"))}
    return {_OF_ONE_HISTOGRAM.sub("", word) for word in words}


def test_the_documentation_names_every_number_and_no_other() -> None:
    assert _told() == _given()
