"""Tokens are kept as hashes only, and addresses are shown masked only."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from tests import stores
from tests.fakes.clock import START
from warnd.ledger import tokens
from warnd.ledger.store import open_inline
from warnd.model.authority import Principal
from warnd.model.mask import masked


async def test_a_token_is_found_by_its_hash_until_it_is_revoked() -> None:
    ledger = stores.inline()
    kept = {"scope": "submit", "senders": ["b@x", "a@x", "b@x"], "region": "990101"}
    no = await ledger.write(tokens.create, token_hash=tokens.hashed("secret"), now=START, **kept)  # type: ignore[arg-type] # as above
    found = await ledger.read(tokens.find, token_hash=tokens.hashed("secret"))
    assert found == Principal(f"token:{no}", "submit", frozenset({"a@x", "b@x"}), "990101")
    assert await ledger.read(tokens.find, token_hash=tokens.hashed("other")) is None
    assert await ledger.read(tokens.find, token_hash="secret") is None
    await ledger.write(lambda conn: conn.execute(text("UPDATE token SET revoked_at = 1")))
    assert await ledger.read(tokens.find, token_hash=tokens.hashed("secret")) is None
    await ledger.close()


@stores.only("sqlite", "reads every byte of a file")
async def test_the_token_itself_is_nowhere_in_the_store(tmp_path: Path) -> None:
    path = tmp_path / "warnd.sqlite"
    ledger = open_inline(f"sqlite:///{path}")
    await ledger.write(tokens.create, token_hash=tokens.hashed("very-secret-token"), scope="read", now=START)
    await ledger.close()
    for kept in tmp_path.iterdir():  # noqa: ASYNC240 - nothing else runs in this test
        assert b"very-secret-token" not in kept.read_bytes()


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("+8613812345621", "+86138*****21"),
        ("+14155550100", "+141*****00"),
        ("12379", "1*****"),
        ("110", "1*****"),
        ("officer@county.example", "o*****@county.example"),
        ("@county.example", "*****@county.example"),
        ("region:990101000000", "region:990101000000"),
        ("terminal:t-1", "terminal:t-1"),
        ("site", "site"),
        ("webhook:board", "webhook:board"),
        ("wecombot://0123-4567-89ab", "wecombot://*****"),
        ("mailto://user:word@example.org", "mailto://*****"),
        ('{"auth":"a","endpoint":"https://fcm.example/send/x@y","p256dh":"k"}', "fcm.example/*****"),
        ('{"endpoint":7}', "*****/*****"),
        ("{}", "*****/*****"),
        ("no such thing", "n*****"),
        ("", "*****"),
    ],
)
def test_an_address_shows_just_enough_to_recognise_ones_own(address: str, shown: str) -> None:
    assert masked(address) == shown


@given(st.from_regex(r"\+?[0-9]{3,15}", fullmatch=True))
def test_a_phone_number_never_shows_more_than_its_ends(number: str) -> None:
    shown = masked(number)
    assert "*****" in shown
    head, tail = shown.split("*****")
    assert number.startswith(head)
    assert number.endswith(tail)
    assert len(number) - len(head) - len(tail) >= 2
