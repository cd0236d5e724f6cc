"""Answer links: looking never confirms, answering does once, and nobody finds a link that was not sent to them."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.fakes.asked import KEY, SECOND, VILLAGE, Asked, asked
from tests.fakes.web_centre import after
from warnd.ledger.node import attempt_id
from warnd.model.answer import attempt_of, token
from warnd.model.evidence import Evidence
from warnd.web.answering import Turnstile

ATTEMPT = st.builds(
    attempt_id, st.text("0123456789abcdef", min_size=10, max_size=10), st.integers(1, 10**12), st.integers(1, 99)
)


@given(attempt=ATTEMPT, key=st.binary(min_size=32, max_size=32))
def test_a_token_names_its_attempt_and_is_safe_in_an_address(attempt: str, key: bytes) -> None:
    made = token(key, attempt)
    assert attempt_of(key, made) == attempt
    assert set(made) <= set("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.")
    assert len(made) < 80


@given(attempt=ATTEMPT, other=ATTEMPT, given_=st.text(max_size=200))
def test_nothing_but_the_token_names_it(attempt: str, other: str, given_: str) -> None:
    made = token(KEY, attempt)
    if given_ != made:
        assert attempt_of(KEY, given_) is None
    assert attempt_of(KEY, made[:-1] + ("A" if made[-1] != "A" else "B")) is None
    assert attempt_of(KEY, made + "A") is None
    assert attempt_of(bytes(32), made) is None
    if other != attempt:
        assert attempt_of(KEY, f"{other}.{made.rpartition('.')[2]}") is None


def test_a_link_may_be_asked_about_thirty_times_a_minute() -> None:
    now = [0.0]
    turnstile = Turnstile(lambda: now[0])
    assert [turnstile.lets_through("a") for _ in range(31)] == [True] * 30 + [False]
    assert turnstile.lets_through("b")
    now[0] = 60.0
    assert turnstile.lets_through("a")


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Asked]:
    async with asked(tmp_path) as made:
        yield made


async def _get(one: Asked, path: str | None = None, *, method: str = "GET", lang: str = "zh") -> httpx.Response:
    async with one.built.visitor(**{"Accept-Language": lang}) as client:
        return await client.request(method, path or one.path)


async def test_looking_shows_what_is_asked_and_confirms_nothing(one: Asked) -> None:
    for method in ("GET", "HEAD", "GET"):
        answered = await _get(one, method=method)
        assert answered.status_code == 200
        assert answered.headers["cache-control"] == "no-store"
        assert answered.headers["x-robots-tag"] == "noindex"
        assert answered.headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in answered.headers
    page = answered.text
    assert "演练" not in page
    assert all(said in page for said in ("洪水", "第1乡", "请立即转移到高处", "王**", 'method="post"'))
    assert "王小明" not in page
    assert await one.evidence() == Evidence.ACCEPTED


async def test_an_answer_confirms_every_seat_and_ends_every_channel(one: Asked) -> None:
    answered = await _get(one, method="POST")
    assert answered.status_code == 200
    assert "确认收到" in answered.text
    assert 'method="post"' not in answered.text
    assert await one.evidence() == Evidence.ACKNOWLEDGED
    for village in (VILLAGE, SECOND):
        assert await one.one("SELECT answered_at FROM target WHERE code = :code", code=village) is not None
    assert await one.one("SELECT count(*) FROM leg l WHERE l.delivery_no IS NOT NULL AND l.state <> 'done'") == 0
    assert await one.one("SELECT count(*) FROM reply_digit WHERE closed_at IS NULL") == 0


async def test_a_second_answer_changes_nothing_and_shows_the_first_time(one: Asked) -> None:
    first = await _get(one, method="POST")
    one.built.clock.advance(600)
    second = await _get(one, method="POST")
    third = await _get(one)
    times = [page.text.partition("已于 ")[2].partition(" 确认")[0] for page in (first, second, third)]
    assert times[0]
    assert set(times) == {times[0]}
    assert await one.one("SELECT count(*) FROM receipt") == 1


async def test_after_a_cancel_the_page_shows_it_and_an_answer_is_kept_as_late(one: Asked) -> None:
    await one.cancel()
    shown = await _get(one, lang="en")
    assert "This warning was cancelled" in shown.text
    assert "You need no longer act" in shown.text
    assert 'method="post"' not in shown.text
    assert (await _get(one, method="POST")).status_code == 200
    assert await one.evidence() == Evidence.ACKNOWLEDGED
    state = await one.one(
        "SELECT d.state FROM delivery d JOIN leg l ON l.delivery_no = d.no WHERE l.no = :no", no=one.claimed.leg_no
    )
    assert state == "open"  # Its message is closed, so it counts as withdrawn, with its proof beside it.


async def test_a_replaced_warning_says_so_and_shows_what_replaced_it(one: Asked) -> None:
    await one.built.release(after("flood-2", "Update", "flood-1"))
    shown = await _get(one)
    assert "已被更新的信息取代" in shown.text
    assert 'method="post"' not in shown.text


async def test_an_expired_warning_asks_nothing(one: Asked) -> None:
    one.built.clock.advance(7 * 3600)
    shown = await _get(one)
    assert "已过有效期" in shown.text
    assert 'method="post"' not in shown.text


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_link_that_nobody_was_sent_is_not_there(one: Asked, method: str) -> None:
    for path in ("/a/x", "/a/tag-1-1.AAAAAAAAAAAAAAAAAAAAAA", "/a/%F0%9F%98%80", "/a/" + "1" * 500, "/a/."):
        answered = await _get(one, path, method=method)
        assert answered.status_code == 404, path
        assert answered.headers["cache-control"] == "no-store"
    assert await one.evidence() == Evidence.ACCEPTED


async def test_a_right_token_for_an_attempt_that_asks_nothing_is_not_there(one: Asked) -> None:
    for attempt in ("tag-999999-1", f"tag-{one.claimed.leg_no}-9", "other-1-1"):
        assert (await _get(one, f"/a/{token(KEY, attempt)}")).status_code == 404


async def test_whoever_asks_all_the_time_is_told_to_wait(one: Asked) -> None:
    async with one.built.visitor() as client:
        codes = [(await client.get(one.path)).status_code for _ in range(31)]
        refused = await client.post(one.path)
    assert codes == [200] * 30 + [429]
    assert refused.headers["retry-after"] == "60"
    assert await one.evidence() == Evidence.ACCEPTED


async def test_a_drill_says_that_it_is_one(tmp_path: Path) -> None:
    async with asked(tmp_path, drill=True) as one:
        assert "【演练】这不是真实预警" in (await _get(one)).text
        assert "EXERCISE: this is not a real warning." in (await _get(one, method="POST", lang="en")).text
        assert await one.evidence() == Evidence.ACKNOWLEDGED


async def test_only_looking_and_answering_are_served(one: Asked) -> None:
    assert (await _get(one, method="DELETE")).status_code == 405


async def test_no_log_shows_a_link_that_its_reader_could_answer_by(one: Asked) -> None:
    await one.built.ledger.write(lambda conn: conn.exec_driver_sql("ALTER TABLE attempt RENAME TO gone").close())
    with capture_logs() as logged:
        answered = await _get(one)
    assert answered.status_code == 503
    assert [(each["event"], each["path"]) for each in logged] == [("store_refuses", "/a/{token}")]
    assert one.path.removeprefix("/a/") not in repr(logged)
