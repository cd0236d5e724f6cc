"""Mail never goes in the clear by accident, and whatever keeps the server from being used is told with what to do."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.certificate import write_certificate
from tests.fakes.email import settings
from tests.fakes.email_channel import post, running
from tests.fakes.email_server import PASSWORD, USER, Server, running_server
from tests.waiting import until
from warnd.channel import Accepted, Failed, Finding
from warnd.settings import SettingsError, load


async def probed(folder: Path, toml: str) -> Finding:
    """Return what the look at the mail server showed."""
    return (await post(folder, toml).channel.probe())[0]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running_server(tmp_path) as running_one:
        yield running_one


async def test_the_probe_says_what_works_and_sends_nothing(server: Server, tmp_path: Path) -> None:
    found = await post(tmp_path, settings(server, tmp_path)).channel.probe()
    assert [each.wrong for each in found] == [None, None]
    assert found[0].about == f"mail server 127.0.0.1:{server.port}"
    assert found[0].told == f"TLSv1.3, logged in as {USER}"
    assert found[1].told == "mails waiting: 0"
    assert server.taken == []


async def test_tls_from_the_first_byte_works(tmp_path: Path) -> None:
    async with running_server(tmp_path, implicit=True) as server:
        toml = settings(server, tmp_path)
        assert "TLSv1.3" in (await probed(tmp_path, toml)).told
        async with running(post(tmp_path, toml)) as one:
            assert isinstance((await one.send(one.outgoing()))[0], Accepted)


async def test_a_server_on_this_machine_may_go_without_tls_if_told_so(tmp_path: Path) -> None:
    async with running_server(tmp_path, tls=False) as server:
        toml = settings(server, tmp_path)
        assert (await probed(tmp_path, toml)).told == f"no TLS, logged in as {USER}"
        async with running(post(tmp_path, toml)) as one:
            assert isinstance((await one.send(one.outgoing()))[0], Accepted)


async def test_without_starttls_nothing_is_sent_and_no_password_told(tmp_path: Path) -> None:
    async with running_server(tmp_path, tls=False) as server:
        toml = settings(server, tmp_path).replace("start_tls = false", "start_tls = true")
        found = await probed(tmp_path, toml)
        assert found.wrong is not None
        assert "offers no STARTTLS, so nothing is sent" in found.wrong
        one = post(tmp_path, toml)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.channel.run(one.sink))
            await until(lambda: "STARTTLS" in (one.channel.problem() or ""))
            assert isinstance((await one.send(one.outgoing()))[0], Failed)
            task.cancel()
        assert server.taken == []


def _without_ca(toml: str) -> str:
    return "\n".join(line for line in toml.splitlines() if not line.startswith("ca_file"))


async def test_a_certificate_that_is_not_believed_is_told(server: Server, tmp_path: Path) -> None:
    found = await probed(tmp_path, _without_ca(settings(server, tmp_path)))
    assert found.wrong is not None
    assert "certificate that is not believed" in found.wrong
    assert "email.ca_file" in found.wrong


async def test_a_certificate_for_another_name_is_told(server: Server, tmp_path: Path) -> None:
    toml = settings(server, tmp_path).replace('host = "127.0.0.1"', 'host = "localhost"')
    found = await probed(tmp_path, toml)
    assert found.wrong is not None
    assert "not believed" in found.wrong


async def test_a_foreign_authority_does_not_do_for_tls_from_the_first_byte(tmp_path: Path) -> None:
    async with running_server(tmp_path, implicit=True) as server:
        other = tmp_path / "other"
        other.mkdir()
        write_certificate(other)
        found = await probed(tmp_path, settings(server, tmp_path).replace('"ca.crt"', '"other/ca.crt"'))
    assert found.wrong is not None
    assert "not believed" in found.wrong


async def test_a_wrong_password_is_told(server: Server, tmp_path: Path) -> None:
    toml = settings(server, tmp_path)
    (tmp_path / "password").write_text("wrong")
    found = await probed(tmp_path, toml)
    assert found.wrong is not None
    assert "refuses the login (535" in found.wrong
    assert "check username and password_file" in found.wrong


async def test_a_server_that_takes_no_login_is_told(tmp_path: Path) -> None:
    async with running_server(tmp_path, login=False) as server:
        toml = settings(server, tmp_path) + f'username = "{USER}"\npassword_file = "password"\n'
        found = await probed(tmp_path, toml)
    assert found.wrong is not None
    assert "takes no login" in found.wrong


async def test_tls_spoken_to_a_port_that_speaks_none_is_told(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        toml = settings(server, tmp_path).replace("implicit_tls = false", "implicit_tls = true")
        found = await probed(tmp_path, toml)
    assert found.wrong is not None
    assert "look whether its port wants STARTTLS or TLS from the first byte" in found.wrong


async def test_a_server_that_is_not_there_is_told(server: Server, tmp_path: Path) -> None:
    toml = settings(server, tmp_path)
    await server.stop()
    found = await probed(tmp_path, toml)
    assert found.wrong is not None
    assert "does not listen; check email.host and email.port" in found.wrong


async def test_a_name_that_nobody_knows_is_told(server: Server, tmp_path: Path) -> None:
    found = await probed(tmp_path, settings(server, tmp_path).replace("127.0.0.1", "mx.invalid"))
    assert found.wrong is not None
    assert "has a name that is not known here; check email.host" in found.wrong


async def test_a_server_that_says_nothing_is_told_in_time(server: Server, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        toml = settings(server, tmp_path, timeout_s=0.2)
        port = silent.getsockname()[1]
        found = await probed(tmp_path, toml.replace(f"port = {server.port}", f"port = {port}"))
    assert found.wrong is not None
    assert "did not answer within 0.2 s" in found.wrong


async def test_a_folder_of_bounces_that_is_gone_is_told(server: Server, tmp_path: Path) -> None:
    one = post(tmp_path, settings(server, tmp_path))
    (tmp_path / "bounces" / "new").rmdir()
    (tmp_path / "bounces").rmdir()
    found = (await one.channel.probe())[1]
    assert found.wrong is not None
    assert "there is no folder" in found.wrong
    assert "bounce_maildir" in found.wrong


SECTION = '[email]\nhost = "mx.county.example"\nsender = "warn@county.example"\n'
MISTAKES = [
    ('start_tls = false\nusername = "warnd"\n', "would cross the network to mx.county.example in the clear."),
    ('start_tls = false\nca_file = "ca.crt"\n', "ca_file without TLS checks nothing."),
    ('password_file = "password"\n', "password_file without username is never sent."),
    ('bounce_address = "bounce@county.example"\n', "Without a secret a forged bounce could not be told"),
    ('bounce_maildir = "."\n', "Without a secret a forged bounce could not be told"),
    ('bounce_address = "bounce+x@county.example"\n', 'has a "+", which warnd puts there itself.'),
    ('bounce_address = "bounce"\n', 'Found "bounce"; it should be a mail address.'),
    ('bounce_secret_file = "short"\n', "The secret has fewer than 16 characters."),
    ("connections = 0\n", "email.connections: Found 0"),
    (
        'bounce_secret_file = "password"\nbounce_maildir = "."\n[email.imap]\nhost = "x"\nusername = "u"\npassword_file = "password"\n',
        "Bounces are read from one place.",
    ),
    (
        'bounce_secret_file = "password"\n[email.imap]\nhost = "x"\nusername = "u"\npassword_file = "password"\ntls = "none"\n',
        "The mailbox's password would cross the network to x in the clear.",
    ),
    ('[email.imap]\nhost = "x"\nusername = "u"\n', "email.imap.password_file: It is missing."),
]


@pytest.mark.parametrize(("more", "problem"), MISTAKES)
def test_a_mistake_in_the_settings_is_told(tmp_path: Path, more: str, problem: str) -> None:
    write_certificate(tmp_path)
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "short").write_text("short")
    (tmp_path / "warnd.toml").write_text(SECTION + more)
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "warnd.toml", {})
    assert problem in str(caught.value)


def test_a_sender_with_a_line_break_is_refused(tmp_path: Path) -> None:
    (tmp_path / "warnd.toml").write_text(SECTION.replace("warn@county", "warn@county\\r\\nBcc: x"))
    with pytest.raises(SettingsError, match="it should be a mail address"):
        load(tmp_path / "warnd.toml", {})


def test_the_usual_ports_bring_their_kind_of_tls(tmp_path: Path) -> None:
    (tmp_path / "warnd.toml").write_text(SECTION + "port = 465\n")
    implicit = load(tmp_path / "warnd.toml", {}).email
    (tmp_path / "warnd.toml").write_text(SECTION)
    start = load(tmp_path / "warnd.toml", {}).email
    assert implicit is not None
    assert start is not None
    assert (implicit.implicit_tls, start.implicit_tls, start.start_tls, start.port) == (True, False, True, 587)
    assert start.encrypted
