"""Getting connected, staying connected, and saying what is wrong when it cannot be."""

import asyncio
import ipaddress
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs

from channels.mqtt import build
from channels.mqtt.session import _heeding_cancellation
from tests.fakes.broker import Broker, needs_mosquitto, running_broker
from tests.fakes.loudspeaker import LIVE_KEY
from tests.fakes.mqtt import USERS
from tests.fakes.mqtt_daemon import daemon, live
from tests.fakes.scripted_broker import (
    MAXIMUM_QOS,
    RETAIN_AVAILABLE,
    ScriptedBroker,
    integer_property,
    scripted_broker,
)
from tests.waiting import until
from warnd.channel import Accepted
from warnd.model.loudspeaker import KeyFileError, private_key_pem
from warnd.settings import load


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path, users=USERS) as running:
        yield running


@needs_mosquitto
async def test_a_broker_that_comes_back_is_connected_to_again_and_works(broker: Broker) -> None:
    async with daemon(live(broker.host, broker.port)).running() as centre:
        broker.stop()
        await until(lambda: centre.channel.problem() is not None)
        broker.start()
        await until(lambda: centre.channel.problem() is None)
        assert [type(outcome) for outcome in await centre.send(centre.to_region("1"))] == [Accepted]


@needs_mosquitto
async def test_a_broker_that_kept_its_store_has_forgotten_nothing(broker: Broker) -> None:
    async with daemon(live(broker.host, broker.port)).running() as centre:
        assert centre.forgotten == [("mqtt", False)]
        broker.stop()
        broker.start()
        await until(lambda: broker.folder.joinpath("mosquitto.db").exists())
        await until(lambda: centre.channel.problem() is None)
        assert centre.forgotten == [("mqtt", False)]


@needs_mosquitto
async def test_a_broker_that_lost_its_store_makes_open_publications_due_again(broker: Broker) -> None:
    async with daemon(live(broker.host, broker.port)).running() as centre:
        broker.kill()
        (broker.folder / "mosquitto.db").unlink(missing_ok=True)
        broker.start()
        await until(lambda: centre.forgotten == [("mqtt", False)] * 2)


@needs_mosquitto
async def test_a_wrong_password_is_named_as_the_problem_and_tried_again(broker: Broker) -> None:
    wrong = replace(live(broker.host, broker.port), password="not it")
    with capture_logs() as logs:
        async with daemon(wrong).running(wait=False) as centre:
            await until(lambda: len(_failures(logs)) >= 3)
            problem = centre.channel.problem()
    assert problem is not None
    assert f"{broker.host}:{broker.port}" in problem
    assert "Not authorized" in problem
    assert "not it" not in str(logs) + problem


def _failures(logs: Sequence[Mapping[str, object]]) -> list[Mapping[str, object]]:
    return [entry for entry in logs if entry["event"] == "mqtt_disconnected"]


async def test_nobody_there_is_a_problem_that_says_since_when_and_what_to_check() -> None:
    async with scripted_broker(ScriptedBroker()) as gone:
        options = live(gone.host, gone.port)
    async with daemon(options).running(wait=False) as centre:
        before = centre.channel.problem()
        await until(lambda: "refused" in str(centre.channel.problem()))
    assert before is not None
    assert "since" in before
    assert "check" in before


@pytest.mark.parametrize(
    ("other", "word"),
    [
        (ScriptedBroker(connack=integer_property(RETAIN_AVAILABLE, 0, size_bytes=1)), "retained"),
        (ScriptedBroker(connack=integer_property(MAXIMUM_QOS, 0, size_bytes=1)), "QoS 1"),
        (ScriptedBroker(suback=0x87), "see its ACL"),
    ],
)
async def test_a_broker_that_lacks_what_the_protocol_needs_is_a_problem(other: ScriptedBroker, word: str) -> None:
    async with scripted_broker(other), daemon(live(other.host, other.port)).running(wait=False) as centre:
        await until(lambda: word in str(centre.channel.problem()))


async def test_a_server_that_never_answers_is_given_up_and_tried_again() -> None:
    callers: list[asyncio.StreamWriter] = []

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        callers.append(writer)
        try:
            await reader.read()
        finally:
            writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    options = replace(live("127.0.0.1", server.sockets[0].getsockname()[1]), timeout_s=0.1)
    async with server, daemon(options).running(wait=False) as centre:
        await until(lambda: len(callers) >= 3)
        assert "timed out" in str(centre.channel.problem())
        await until(lambda: all(caller.is_closing() for caller in callers[:2]))


@needs_mosquitto
async def test_the_end_of_the_daemon_in_the_middle_of_connecting_leaves_nothing_open(broker: Broker) -> None:
    for turns in range(20):
        async with daemon(live(broker.host, broker.port)).running(wait=False):
            for _ in range(turns):
                await asyncio.sleep(0)
    async with daemon(live(broker.host, broker.port)).running() as centre:
        assert [type(outcome) for outcome in await centre.send(centre.to_region("1"))] == [Accepted]


async def test_a_cancellation_that_comes_together_with_the_answer_is_not_swallowed() -> None:
    """`asyncio.wait_for`, by which the client library waits, loses it in Python 3.11."""
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_heeding_cancellation(asyncio.wait_for(answer, 10)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        answer.set_result(None)
        task.cancel()
    assert task.cancelled()


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # paho leaves a failed TLS socket to the collector.
async def test_tls_trusts_only_the_authority_that_it_was_given(tmp_path: Path) -> None:
    server = _server_context(tmp_path)
    right = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    async with scripted_broker(ScriptedBroker(), tls=server) as other:
        async with daemon(replace(live("127.0.0.1", other.port), tls=right)).running() as centre:
            assert [type(outcome) for outcome in await centre.send(centre.to_region("1"))] == [Accepted]
        strange = replace(live("127.0.0.1", other.port), tls=ssl.create_default_context())
        async with daemon(strange).running(wait=False) as centre:
            await until(lambda: "certificate" in str(centre.channel.problem()).lower())
        assert other.connections == 1


def _server_context(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def test_a_signing_key_that_cannot_be_used_is_named_at_start(tmp_path: Path) -> None:
    (tmp_path / "live.pem").write_text("no key at all")
    (tmp_path / "warnd.toml").write_text('[mqtt]\nsigning_key_file = "live.pem"\n')
    with pytest.raises(KeyFileError, match=r"live\.pem"):
        build(load(tmp_path / "warnd.toml", {}), daemon(live("127.0.0.1", 1)).context)


def test_settings_become_options(tmp_path: Path) -> None:
    (tmp_path / "live.pem").write_bytes(private_key_pem(LIVE_KEY))
    (tmp_path / "secret").write_text("sesame\n")
    (tmp_path / "warnd.toml").write_text(
        '[mqtt]\nhost = "broker.example"\nport = 1999\nusername = "centre"\npassword_file = "secret"\n'
        'client_id = "centre-1"\nsigning_key_file = "live.pem"\nconcurrency = 20\ntimeout_s = 3\n'
    )
    channel = build(load(tmp_path / "warnd.toml", {}), daemon(live("127.0.0.1", 1)).context)
    assert channel is not None
    options = channel._live.line.options
    assert (options.where, options.username, options.password) == ("broker.example:1999", "centre", "sesame")
    assert (options.client_id, options.window, options.timeout_s, options.tls) == ("centre-1", 20, 3, None)
    assert channel._drill is None
