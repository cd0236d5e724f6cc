"""The line to a gateway: TLS, slowness, methods that libraries repeat by themselves."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from channels.sms.gateway import Gateway
from tests.fakes.certificate import write_certificate
from tests.fakes.gateways_over_http import Mischief, Old, open_box
from tests.fakes.texting import gateway, running, sent, text_to
from tests.waiting import until
from warnd.channel import Accepted, Failed, Unknown

PHONE = "+8613800000001"


def toml(old: Old, folder: Path, more: str = "") -> str:
    (folder / "pw").write_text("secret\n")
    return (
        f'[sms]\nprovider = "http"\n[sms.http]\nurl = "{old.url}/sms.asp"\nmethod = "GET"\nbody = "query"\nencoding = "gbk"\n'
        'fields = { pw = "{pw}", to = "{numbers}", msg = "{text}" }\nsecret_files = { pw = "pw" }\ntimeout_s = 2\n'
        f"watch_s = 0.05\n{more}"
        "[sms.http.answer]\nformat = \"text\"\ncode = '^(-?\\d+),'\nsuccess = [\"0\"]\nreason = ',(.*)$'\nreference = '^0,(\\w+)'\n"
    )


@asynccontextmanager
async def at_work(folder: Path, old: Old, more: str = "") -> AsyncIterator[Gateway]:
    async with open_box(old):
        through = gateway(toml(old, folder, more), folder)
        async with running(through):
            yield through


async def test_an_old_gateway_is_reached_by_get_in_gbk_and_answers_in_words(tmp_path: Path) -> None:
    old = Old()
    async with at_work(tmp_path, old) as through:
        assert await sent(through, [text_to(PHONE, "洪水&to=+86")]) == [Accepted("http:t1")]
    assert (old.taken[0].number, old.taken[0].text) == (PHONE, "洪水&to=+86")


async def test_its_refusal_is_told_in_its_own_words(tmp_path: Path) -> None:
    async with open_box(old := Old()):
        settings = toml(old, tmp_path)
        (tmp_path / "pw").write_text("wrong\n")
        through = gateway(settings, tmp_path)
        async with running(through):
            assert await sent(through, [text_to(PHONE)]) == [Failed("-1 密码错误")]


@pytest.mark.parametrize("mischief", ["reset", "hang"])
async def test_a_get_that_may_have_been_heard_is_not_repeated_by_the_library(
    tmp_path: Path, mischief: Mischief
) -> None:
    old = Old()
    async with at_work(tmp_path, old, "") as through:
        assert isinstance((await sent(through, [text_to(PHONE)]))[0], Accepted)
        old.mischief = mischief
        assert isinstance((await sent(through, [text_to(PHONE)]))[0], Unknown)
    assert old.calls == 2


async def test_a_slow_answer_is_waited_for(tmp_path: Path) -> None:
    old = Old(mischief="slow")
    async with at_work(tmp_path, old) as through, asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(sent(through, [text_to(PHONE)]))
        await until(lambda: old.calls)
        assert not sending.done()
        old.release.set()
    assert sending.result() == [Accepted("http:t1")]


async def test_over_tls_only_the_named_authority_is_trusted(tmp_path: Path) -> None:
    write_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    old = Old(tls=context)
    async with at_work(tmp_path, old, 'ca_file = "ca.crt"\n') as through:
        assert isinstance((await sent(through, [text_to(PHONE)]))[0], Accepted)
        (finding,) = await gateway(toml(old, tmp_path), tmp_path).probe()
        assert "certificate" in (finding.wrong or "")


async def test_before_it_runs_nothing_leaves(tmp_path: Path) -> None:
    async with open_box(old := Old()):
        through = gateway(toml(old, tmp_path), tmp_path)
        (outcome,) = await sent(through, [text_to(PHONE)])
    assert isinstance(outcome, Failed)
    assert outcome.retry != "permanent"
    assert old.calls == 0


async def test_what_is_under_way_when_it_is_stopped_is_unknown(tmp_path: Path) -> None:
    old = Old(mischief="hang")
    async with open_box(old):
        through = gateway(toml(old, tmp_path), tmp_path)
        async with asyncio.TaskGroup() as tasks, running(through):
            sending = tasks.create_task(sent(through, [text_to(PHONE)]))
            await until(lambda: old.calls)
        old.release.set()
    assert [type(outcome) for outcome in sending.result()] == [Unknown]
