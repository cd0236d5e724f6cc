"""Every forbidden topic tried for real, with the rights by file and with dynamic security, by each party under each root.

A rights file grants every SUBSCRIBE and then delivers nothing; dynamic security refuses it. Either way only what is delivered counts.
"""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from tests.fakes.broker import ADMIN, ADMIN_PASSWORD, Broker, needs_mosquitto, running_broker
from tests.fleet.caller import Caller, calling
from warnd.cli.broker_dynsec import Admin, Login, enrol
from warnd.cli.broker_rights import DAEMON, daemon_rights, terminal_rights, user_of
from warnd.model.loudspeaker import DRILL_ROOT, LIVE_ROOT, ROOTS

pytestmark = needs_mosquitto

OWN, OTHER = "T-0001", "T-0002"
NAMES = (DAEMON, OWN, OTHER)
NOT_AUTHORIZED = 0x87


@dataclass(frozen=True)
class World:
    """A broker, and how its parties log in."""

    broker: Broker
    dynamic: bool

    def login(self, name: str, root: str) -> tuple[int, str, str]:
        """Return port, user and password of a party under a root."""
        drill = root == DRILL_ROOT
        if self.dynamic:
            return self.broker.port, user_of(name, root), password(name, root)
        return (self.broker.drill_port if drill else self.broker.port), name, password(name, root)


def password(name: str, root: str) -> str:
    return f"{name} under {root}"


@pytest.fixture(scope="module", params=["acl", "dynamic security"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("rights")
    if request.param == "acl":
        live, drill = ({name: password(name, root) for name in (*NAMES, "+", "+ +")} for root in ROOTS)
        with running_broker(folder, users=live, drill_users=drill) as broker:
            yield World(broker, dynamic=False)
        return
    with running_broker(folder, users={}, configuration="dynamic-security.conf") as broker:
        logins = [
            Login(
                user_of(name, root),
                password(name, root),
                daemon_rights(root) if name == DAEMON else terminal_rights(name, root),
            )
            for name in NAMES
            for root in ROOTS
        ]
        enrol(Admin(broker.host, broker.port, ADMIN, ADMIN_PASSWORD), logins)
        yield World(broker, dynamic=True)


def topics(root: str) -> list[str]:
    """Return every kind of topic under a root, and some that are none."""
    return [
        f"{root}/region/510000000000/command/flood-1",
        f"{root}/region/510181102008/command/flood-1",
        f"{root}/region/510181102007/other",
        f"{root}/region/510181102007/command",
        *(
            f"{root}/terminal/{name}/{kind}"
            for name in (OWN, OTHER)
            for kind in ("command", "receipt", "state", "other")
        ),
        f"{root}/terminal/{OWN}/receipt/deeper",
        f"{root}/terminal",
    ]


ALL_TOPICS = [
    *(topic for root in ROOTS for topic in topics(root)),
    "$SYS/broker/uptime",
    "$CONTROL/dynamic-security/v1",
    "$CONTROL/dynamic-security/v1/response",
    "elsewhere",
]
ALL_FILTERS = [
    *ALL_TOPICS,
    *("#", "+/#", "+/+/#", "/#", "$SYS/#", "$CONTROL/#", "$share/all/#"),
    *(
        f"{root}/{tail}"
        for root in ROOTS
        for tail in ("#", "region/#", "region/+/+/+", "terminal/#", "terminal/+/+", "+/+/command", f"terminal/{OWN}/#")
    ),
    *(f"{root}/terminal/+/{kind}" for root in ROOTS for kind in ("command", "receipt", "state")),
    *(f"{root}/region/+/command/+" for root in ROOTS),
    *(f"$share/some/{root}/terminal/+/command" for root in ROOTS),
]


def may_write(name: str, root: str) -> set[str]:
    if name == DAEMON:
        return {
            f"{root}/region/510000000000/command/flood-1",
            f"{root}/region/510181102008/command/flood-1",
            *(f"{root}/terminal/{one}/command" for one in (OWN, OTHER)),
        }
    return {f"{root}/terminal/{name}/receipt", f"{root}/terminal/{name}/state"}


def may_read(name: str, root: str, *, dynamic: bool) -> set[str]:
    regions = {f"{root}/region/510000000000/command/flood-1", f"{root}/region/510181102008/command/flood-1"}
    if name == DAEMON:
        proofs = {f"{root}/terminal/{one}/{kind}" for one in (OWN, OTHER) for kind in ("receipt", "state")}
        # A pattern in a rights file is for every user; what the daemon hears by it is its own word.
        return proofs if dynamic else proofs | regions
    return {*regions, f"{root}/terminal/{name}/command"}


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("name", [DAEMON, OWN])
async def test_only_its_own_topics_may_be_written_retained_or_not(world: World, name: str, root: str) -> None:
    port, user, secret = world.login(name, root)
    async with calling(world.broker.host, port, user=user, password=secret) as caller:
        for retain in (False, True):
            codes = {topic: await caller.publish(topic, b"", retain=retain) for topic in ALL_TOPICS}
            assert {topic for topic, code in codes.items() if code != NOT_AUTHORIZED} == may_write(name, root)


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("name", [DAEMON, OWN])
async def test_only_what_is_meant_for_it_is_delivered_whatever_it_subscribes_to(
    world: World, name: str, root: str
) -> None:
    async with AsyncExitStack() as stack:
        parties: dict[tuple[str, str], Caller] = {}
        for party in NAMES:
            for under in ROOTS:
                port, user, secret = world.login(party, under)
                calls = calling(world.broker.host, port, user=user, password=secret)
                parties[party, under] = await stack.enter_async_context(calls)
        ear = parties[name, root]
        granted = {topic: await ear.subscribe(topic) < 0x80 for topic in ALL_FILTERS}
        if world.dynamic:
            allowed = {f"{root}/terminal/+/receipt", f"{root}/terminal/+/state"}
            regions = {f"{root}/region/+/command/+", *may_read(name, root, dynamic=True)}
            assert {topic for topic, good in granted.items() if good} == (allowed if name == DAEMON else regions)
        for (party, under), mouth in parties.items():
            for topic in sorted(may_write(party, under)):
                assert await mouth.publish(topic) != NOT_AUTHORIZED
        # The last that the ear may hear; all before it was delivered or withheld.
        readable = may_read(name, root, dynamic=world.dynamic)
        await ear.until_heard(_last(readable))
    assert set(ear.heard) == readable


def _last(readable: set[str]) -> str:
    """Return which of these topics is written last, in the order of the test above."""
    order = [topic for party in NAMES for under in ROOTS for topic in sorted(may_write(party, under))]
    return [topic for topic in order if topic in readable][-1]


@pytest.mark.parametrize("user", ["+", "+ +"])
async def test_a_user_whose_name_is_a_wildcard_is_no_terminal(world: World, user: str) -> None:
    if world.dynamic:
        pytest.skip("dynamic security has a role for each user by name")
    port, _, secret = world.login(user, LIVE_ROOT)
    async with calling(world.broker.host, port, user=user, password=secret) as caller:
        for topic in ALL_TOPICS:
            assert await caller.publish(topic) == NOT_AUTHORIZED


async def test_live_and_drill_share_no_account(world: World) -> None:
    for name in NAMES:
        for own, other in (ROOTS, ROOTS[::-1]):
            port, user, _ = world.login(name, own)
            with pytest.raises(AssertionError, match="0x87"):
                async with calling(world.broker.host, port, user=user, password=password(name, other)):
                    pytest.fail("the broker let it in")
