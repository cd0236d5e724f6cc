"""Who among the browsers is told: by place, once each, also of the end of what they may have heard; and who is forgotten."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from channels import STRONGEST
from tests import stores
from tests.fakes.manual_clock import ManualClock
from tests.fakes.push import Browser
from tests.simulation.county import COUNTY, TOWNSHIPS, VILLAGES, found
from tests.simulation.virtual import START
from warnd.channel import Accepted, Failed, Outcome, Unknown
from warnd.ledger import claims, directory, messages, outcomes, planning, subscriptions
from warnd.ledger.claims import Claimed
from warnd.ledger.events import Stamp
from warnd.ledger.messages import NewMessage
from warnd.ledger.outcomes import Tried
from warnd.ledger.planning import Means, Pace
from warnd.ledger.store import open_engine
from warnd.ledger.values import to_ms
from warnd.model.level import Level
from warnd.model.plan import Plan, choose
from warnd.model.push import Subscription
from warnd.resources import shipped
from warnd.settings import load_plans

STAMP = Stamp(to_ms(START), "writer")
MEANS = Means(
    channels=frozenset({"push", "webhook"}), jurisdiction=(), publications={"webhook": ("webhook:a", "webhook:b")}
)
SMALLEST = Pace(regions=1, rows=1)


@dataclass
class County:
    """A county's store, and the browsers of its people."""

    engine: Engine
    pace: Pace
    warned_by: Plan
    browsers: dict[str, Subscription] = field(default_factory=dict)
    ids: Iterator[int] = field(default_factory=lambda: iter(range(1, 100)))

    def subscribe(self, name: str, region: str, *, lang: str = "zh") -> None:
        known = self.browsers.setdefault(name, Browser(f"https://push.example/{name}").subscription)
        with self.engine.begin() as conn:
            assert _subscribe(conn, known, region, lang=lang) is None

    def plan(self, *roots: str, kind: str = "warning", public: bool = True, means: Means = MEANS) -> str:
        """Close what is open, open the next message of the chain and plan it whole; return its id."""
        seq = next(self.ids)
        with self.engine.begin() as conn:
            for id_ in conn.execute(text("SELECT id FROM message WHERE closed_as IS NULL")).scalars().all():
                messages.close(conn, message_id=id_, closed_as="withdrawn", stamp=STAMP)
            new = NewMessage(
                id=f"m{seq}",
                kind=kind,
                chain_id="m1",
                seq=seq,
                drill=False,
                urgency=0 if kind == "cancel" else 1,
                plan=self.warned_by,
                directory_rev=directory.revision(conn),
                expires_at=to_ms(START + timedelta(hours=6)),
                roots=[(code, "geocode", False) for code in roots],
                recipients=[],
                public=public,
            )
            messages.open_message(conn, new, stamp=STAMP)
        while self._step(means):
            pass
        return f"m{seq}"

    def _step(self, means: Means) -> bool:
        with self.engine.begin() as conn:
            return planning.step(conn, means=means, pace=self.pace, stamp=STAMP) is not None

    def told(self, id_: str) -> dict[str, tuple[str, str]]:
        """Return name -> (purpose, language) of the browsers that a message is for."""
        names = {known.hash: name for name, known in self.browsers.items()}
        rows = self._rows(
            "SELECT p.target, p.purpose, p.lang, l.address FROM publication p JOIN message m ON m.no = p.message_no "
            "JOIN leg l ON l.publication_no = p.no WHERE m.id = :id AND p.channel = 'push'",
            id=id_,
        )
        for row in rows:
            assert Subscription.parse(row.address).hash == row.target
        assert len({row.target for row in rows}) == len(rows)
        return {names[row.target]: (row.purpose, row.lang) for row in rows}

    def posted(self, id_: str) -> list[str]:
        """Return the webhooks that a message is for."""
        rows = self._rows(
            "SELECT p.target FROM publication p JOIN message m ON m.no = p.message_no WHERE m.id = :id AND p.channel = 'webhook' "
            "ORDER BY p.target",
            id=id_,
        )
        return [row.target for row in rows]

    def send(self, outcome: Outcome, *, lane: str = "push", only: str = "") -> list[Claimed]:
        """Let what is due have this outcome; the rest stays as it was."""
        with self.engine.begin() as conn:
            taken = claims.claim(conn, lane=lane, limit=100, lease_ms=60_000, stamp=STAMP)
            tried = [Tried(c.leg_no, c.number, c.token, outcome, 1, 0.5) for c in taken if only in c.address]
            rest = [
                Tried(c.leg_no, c.number, c.token, Failed("not yet"), 1, 0.5) for c in taken if only not in c.address
            ]
            outcomes.record(conn, [*tried, *rest], stamp=STAMP)
        return taken

    def subscribed(self) -> set[str]:
        names = {known.hash: name for name, known in self.browsers.items()}
        return {names[row.endpoint_hash] for row in self._rows("SELECT endpoint_hash FROM subscription")}

    def _rows(self, statement: str, **values: Any) -> list[Any]:
        with self.engine.begin() as conn:
            return list(conn.execute(text(statement), values))


def _subscribe(conn: Connection, one: Subscription, region: str, **more: Any) -> str | None:
    values: dict[str, Any] = {"lang": "zh", "jurisdiction": (), "most": 1_000, "now_ms": STAMP.now_ms}
    return subscriptions.subscribe(conn, subscription=one, region=region, **(values | more))


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Plan]:
    folder = tmp_path_factory.mktemp("county")
    found(stores.store_url(folder), folder, clock=ManualClock(START))
    plan = choose(
        load_plans(shipped("config") / "plans.toml", strongest=STRONGEST),
        hazards=("洪水",),
        level=Level.RED,
        status="Actual",
    )
    assert plan is not None
    return folder, plan


@pytest.fixture(params=[Pace(), SMALLEST], ids=["at_once", "row_by_row"])
def county(founded: tuple[Path, Plan], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[County]:
    folder, plan = founded
    engine = open_engine(stores.copy(folder, tmp_path))
    yield County(engine, request.param, plan)
    engine.dispose()


def test_a_village_hears_of_its_county_and_a_county_of_its_village(county: County) -> None:
    county.subscribe("inside", VILLAGES[0], lang="en")
    county.subscribe("above", COUNTY)
    county.subscribe("elsewhere", VILLAGES[-1])
    assert county.told(county.plan(COUNTY)) == {
        "inside": ("warning", "en"),
        "above": ("warning", "zh"),
        "elsewhere": ("warning", "zh"),
    }
    assert county.told(county.plan(VILLAGES[0])).keys() == {"inside", "above"}


def test_a_browser_with_several_places_hears_once(county: County) -> None:
    for region in (COUNTY, TOWNSHIPS[0], VILLAGES[0], VILLAGES[1]):
        county.subscribe("curious", region)
    assert county.told(county.plan(COUNTY)) == {"curious": ("warning", "zh")}


def test_what_is_not_public_reaches_no_browser_and_no_webhook(county: County) -> None:
    county.subscribe("inside", VILLAGES[0])
    id_ = county.plan(COUNTY, public=False)
    assert (county.told(id_), county.posted(id_)) == ({}, [])


@pytest.mark.parametrize("outcome", [Accepted(), Unknown("silence")])
def test_a_cancel_follows_what_may_have_arrived_and_only_that(county: County, outcome: Outcome) -> None:
    county.subscribe("reached", VILLAGES[0], lang="en")
    county.subscribe("missed", VILLAGES[1])
    county.plan(COUNTY)
    county.send(outcome, only="/reached")
    county.subscribe("late", VILLAGES[0])
    assert county.told(county.plan(kind="cancel", public=False)) == {"reached": ("cancel", "en")}


def test_a_cancel_reaches_who_unsubscribed_meanwhile(county: County) -> None:
    county.subscribe("reached", VILLAGES[0])
    county.plan(COUNTY)
    county.send(Accepted())
    with county.engine.begin() as conn:
        assert subscriptions.unsubscribe(conn, endpoint_hash=county.browsers["reached"].hash, region=None) == 1
    assert county.told(county.plan(kind="cancel")) == {"reached": ("cancel", "zh")}


def test_an_update_tells_whoever_it_no_longer_means_so(county: County) -> None:
    county.subscribe("stays", VILLAGES[0])
    county.subscribe("leaves", VILLAGES[-1])
    county.plan(COUNTY)
    county.send(Accepted())
    assert county.told(county.plan(TOWNSHIPS[0])) == {"stays": ("warning", "zh"), "leaves": ("area", "zh")}
    county.send(Accepted())
    assert county.told(county.plan(kind="cancel")).keys() == {"stays", "leaves"}


def test_a_cancel_goes_to_where_the_browser_hears_today(county: County) -> None:
    county.subscribe("reached", VILLAGES[0])
    county.plan(COUNTY)
    county.send(Accepted())
    renewed = Browser(county.browsers["reached"].endpoint).subscription
    with county.engine.begin() as conn:
        _subscribe(conn, renewed, VILLAGES[1])
        addresses = set(conn.execute(text("SELECT address FROM subscription")).scalars())
    assert addresses == {renewed.address}
    county.plan(kind="cancel")
    (sent,) = county.send(Accepted())
    assert sent.address == renewed.address


def test_who_is_gone_is_forgotten_at_every_place_and_others_stay(county: County) -> None:
    county.subscribe("gone", VILLAGES[0])
    county.subscribe("gone", VILLAGES[1])
    county.subscribe("here", VILLAGES[0])
    county.plan(COUNTY)
    county.send(Failed("410", retry="permanent", gone=True), only="/gone")
    assert county.subscribed() == {"here"}
    assert county.told(county.plan(COUNTY)).keys() == {"here"}


def test_a_claim_for_a_browser_asks_nothing_and_knows_its_language(county: County) -> None:
    county.subscribe("inside", VILLAGES[0], lang="en")
    county.plan(COUNTY)
    (claimed,) = county.send(Accepted())
    assert (claimed.lang, claimed.purpose, claimed.recipient, claimed.digit, claimed.asks) == (
        "en",
        "warning",
        None,
        None,
        False,
    )


def test_nothing_is_planned_for_browsers_while_push_is_off(county: County) -> None:
    county.subscribe("inside", VILLAGES[0])
    assert county.told(county.plan(COUNTY, means=Means(channels=frozenset({"sms"}), jurisdiction=()))) == {}


def test_a_webhook_hears_of_every_public_message_and_of_the_end_of_what_it_may_have_heard(county: County) -> None:
    assert county.posted(county.plan(COUNTY)) == ["webhook:a", "webhook:b"]
    county.send(Accepted(), lane="webhook", only=":a")
    nobody = Means(channels=MEANS.channels, jurisdiction=(), publications={"webhook": ()})
    assert county.posted(county.plan(kind="cancel", public=False, means=nobody)) == ["webhook:a"]


def test_subscribing_again_changes_the_language_and_makes_no_second_row(county: County) -> None:
    county.subscribe("inside", VILLAGES[0], lang="zh")
    county.subscribe("inside", VILLAGES[0], lang="en")
    assert county.told(county.plan(COUNTY)) == {"inside": ("warning", "en")}


def test_who_may_not_subscribe_is_told_why(county: County) -> None:
    browser = Browser("https://push.example/1").subscription
    with county.engine.begin() as conn:
        assert _subscribe(conn, browser, "123456789012") == "unknown_region"
        assert _subscribe(conn, browser, VILLAGES[-1], jurisdiction=(TOWNSHIPS[0],)) == "unknown_region"
        assert _subscribe(conn, browser, VILLAGES[0], most=0) == "full"
        for number in range(subscriptions.PLACES_MAX):
            conn.execute(
                text(
                    "INSERT INTO subscription (address, endpoint_hash, region, lang, made_at) VALUES ('', :hash, :region, '', 0)"
                ),
                {"hash": browser.hash, "region": f"place-{number}"},
            )
        assert _subscribe(conn, browser, VILLAGES[0]) == "too_many_places"


def test_one_place_is_forgotten_or_all(county: County) -> None:
    for region in VILLAGES[:3]:
        county.subscribe("curious", region)
    known = county.browsers["curious"].hash
    with county.engine.begin() as conn:
        assert subscriptions.unsubscribe(conn, endpoint_hash=known, region=VILLAGES[0]) == 1
        assert subscriptions.unsubscribe(conn, endpoint_hash=known, region=None) == 2
        assert subscriptions.unsubscribe(conn, endpoint_hash=known, region=None) == 0
