"""Certificates at a real mosquitto with the shipped configuration: who gets in, who does not, and what is said about it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import aiomqtt
import pytest

from channels.mqtt import LineOptions, tls
from tests.fakes.broker import Broker, needs_mosquitto, running_broker
from tests.fakes.certificate import Authority
from tests.fakes.loudspeaker import TERMINAL
from tests.fakes.mqtt_daemon import daemon, live
from tests.waiting import until
from warnd.channel import Accepted
from warnd.settings import SettingsError, load

pytestmark = [
    needs_mosquitto,
    pytest.mark.filterwarnings(
        "ignore::pytest.PytestUnraisableExceptionWarning"
    ),  # paho leaves a failed TLS socket to the collector.
]

YEAR = timedelta(days=365)


@dataclass(frozen=True)
class World:
    """A broker that asks for certificates, its authorities, and a stranger's."""

    broker: Broker
    live: Authority
    drill: Authority
    strange: Authority


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("certificates")
    home = folder / "mosquitto"
    home.mkdir()
    authorities = [Authority(home, name) for name in ("live-ca", "drill-ca", "strange-ca", "ca")]
    authorities[3].issue("broker", file="server")
    with running_broker(folder, users={}, tls=True, configuration="certificates.conf") as broker:
        yield World(broker, *authorities[:3])


def options(world: World, own: tuple[Path, Path] | None, *, ca: str = "ca.crt") -> LineOptions:
    certificate, key = own or (None, None)
    context = tls.context(ca_file=world.broker.folder / ca, cert_file=certificate, key_file=key)
    return replace(live(world.broker.host, world.broker.port), username=None, password=None, tls=context)


async def test_the_daemon_gets_in_with_its_certificate_alone(world: World) -> None:
    async with daemon(options(world, world.live.issue("warnd"))).running() as centre:
        assert [type(one) for one in await centre.send(centre.to_region("1"))] == [Accepted]


@pytest.mark.parametrize("who", ["nobody", "a stranger's", "an expired one", "a drill's"])
async def test_without_a_certificate_that_holds_nobody_gets_in_and_is_told_where_to_look(
    world: World, who: str
) -> None:
    shown = {
        "nobody": None,
        "a stranger's": (world.strange, 80 * YEAR),
        "an expired one": (world.live, YEAR),
        "a drill's": (world.drill, 80 * YEAR),
    }[who]
    own = None if shown is None else shown[0].issue("warnd", file=who.replace(" ", "-"), life=shown[1])
    async with daemon(replace(options(world, own), timeout_s=0.5)).running(wait=False) as centre:
        await until(lambda: "cert_file" in str(centre.channel.problem()))


async def test_a_broker_of_another_authority_is_not_believed(world: World) -> None:
    own = world.live.issue("warnd", file="again")
    async with daemon(options(world, own, ca="strange-ca.crt")).running(wait=False) as centre:
        await until(lambda: "ca_file must be the authority" in str(centre.channel.problem()))


async def test_a_terminals_certificate_makes_no_other_terminal_and_no_daemon_of_it(world: World) -> None:
    certificate, key = world.live.issue(TERMINAL)
    context = tls.context(ca_file=world.broker.folder / "ca.crt", cert_file=certificate, key_file=key)
    async with daemon(options(world, world.live.issue("warnd", file="ears"))).running() as centre:
        async with aiomqtt.Client(
            world.broker.host,
            world.broker.port,
            username="warnd",
            tls_context=context,
            protocol=aiomqtt.ProtocolVersion.V5,
        ) as thief:
            await thief.publish("warnd/v1/terminal/T-0002/state", '{"v":1,"terminal":"T-0002","online":true}', qos=1)
            await thief.publish(
                f"warnd/v1/terminal/{TERMINAL}/state", f'{{"v":1,"terminal":"{TERMINAL}","online":true}}', qos=1
            )
        await until(lambda: centre.books.sunk)
    assert {getattr(receipt, "terminal", None) for receipt in centre.books.sunk} == {TERMINAL}


def test_files_that_do_not_belong_together_are_named_at_start(world: World, tmp_path: Path) -> None:
    certificate, _ = world.live.issue("one")
    _, other_key = world.live.issue("two")
    with pytest.raises(tls.CertificateError, match=r"one\.crt and .*two\.key.*belong together"):
        tls.context(ca_file=None, cert_file=certificate, key_file=other_key)
    (tmp_path / "empty.crt").write_text("")
    with pytest.raises(tls.CertificateError, match=r"empty\.crt.*authority"):
        tls.context(ca_file=tmp_path / "empty.crt", cert_file=None, key_file=None)
    (tmp_path / "live.pem").write_text("")
    config = tmp_path / "warnd.toml"
    config.write_text(
        f'[mqtt]\ntls = true\nsigning_key_file = "live.pem"\ncert_file = "{certificate}"\nkey_file = "{other_key}"\n'
    )
    with pytest.raises(SettingsError, match=r"one\.crt and .*two\.key.*belong together"):
        load(config, {})
    config.write_text('[mqtt]\ntls = true\nsigning_key_file = "live.pem"\nca_file = "empty.crt"\n')
    with pytest.raises(SettingsError, match=r"mqtt: .*empty\.crt holds no certificate of an authority"):
        load(config, {})
