"""Key files, key texts and the trust file: the formats of DESIGN §13, and a clear word for everything else."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from tests.fakes.loudspeaker import DRILL_KEY, LIVE_KEY
from warnd.model.loudspeaker import (
    DRILL_ROOT,
    LIVE_ROOT,
    KeyFileError,
    TrustedKey,
    kid_of,
    load_private_key,
    load_trust,
    parse_public_key,
    parse_trust,
    private_key_pem,
    public_bytes,
    public_key_text,
    trust_of,
    trust_text,
)

KEYS = [
    TrustedKey(public_bytes(LIVE_KEY), LIVE_ROOT, ("5101", "52"), datetime(2027, 1, 1, tzinfo=UTC)),
    TrustedKey(public_bytes(DRILL_KEY), DRILL_ROOT),
]


def test_a_kid_is_the_first_16_hex_digits_of_sha_256_of_the_raw_key() -> None:
    raw = public_bytes(LIVE_KEY)
    assert kid_of(raw) == hashlib.sha256(raw).hexdigest()[:16]


def test_a_public_key_is_base64url_without_padding_and_comes_back() -> None:
    text = public_key_text(LIVE_KEY)
    assert len(text) == 43
    assert parse_public_key(text) == public_bytes(LIVE_KEY)


@pytest.mark.parametrize("text", ["", "abc", "=" * 43, "A" * 42, "A" * 44, "A" * 43 + "=", "+" * 43, "A" * 42 + "B"])
def test_any_other_public_key_text_is_refused(text: str) -> None:
    with pytest.raises(KeyFileError, match="public_key"):
        parse_public_key(text)


def test_a_private_key_file_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(private_key_pem(LIVE_KEY))
    assert public_bytes(load_private_key(path)) == public_bytes(LIVE_KEY)


def test_a_key_file_that_cannot_be_used_is_refused_with_path_cause_and_way_out(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(KeyFileError, match=r"key\.pem: cannot be read .*keys generate"):
        load_private_key(path)
    path.write_bytes(b"not a key")
    with pytest.raises(KeyFileError, match=r"key\.pem: is no PEM PKCS#8"):
        load_private_key(path)
    path.write_bytes(LIVE_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    with pytest.raises(KeyFileError, match="is encrypted"):
        load_private_key(path)
    rsa = generate_private_key(65537, 2048)
    path.write_bytes(rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(KeyFileError, match="no Ed25519 key"):
        load_private_key(path)


def test_a_trust_file_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    path.write_text(trust_text(KEYS))
    assert load_trust(path) == trust_of(KEYS)


def test_a_trust_file_has_the_form_of_the_contract() -> None:
    entry = json.loads(trust_text(KEYS))[kid_of(public_bytes(LIVE_KEY))]
    assert entry == {
        "public_key": public_key_text(LIVE_KEY),
        "root": "warnd/v1",
        "regions": ["5101", "52"],
        "not_after": "2027-01-01T00:00:00Z",
    }


def broken_trust(**changes: object) -> str:
    """Return a trust file with one field changed."""
    kid = kid_of(public_bytes(LIVE_KEY))
    return json.dumps({kid: {**json.loads(trust_text(KEYS))[kid], **changes}})


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "holds no key"),
        ('{"a": null}', "null"),
        ('{"a": 1}', "an object"),
        (broken_trust(root="warnd/v9"), "root"),
        (broken_trust(public_key="x"), "public_key"),
        (broken_trust(public_key=public_key_text(DRILL_KEY)), "holds the key"),
        (broken_trust(regions="51"), "regions"),
        (broken_trust(not_after="soon"), "not_after"),
    ],
)
def test_a_trust_file_that_cannot_be_used_is_refused_and_says_why(text: str, cause: str) -> None:
    with pytest.raises(KeyFileError, match=cause):
        parse_trust(text)


def test_a_missing_trust_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"trust\.json: cannot be read"):
        load_trust(tmp_path / "trust.json")
