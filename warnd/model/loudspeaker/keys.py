"""Ed25519 keys as files, texts and ids (DESIGN §13 Keys). Makes and reads keys; decides nothing about whom to trust."""

import base64
import binascii
import hashlib
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

PUBLIC_KEY_BYTES = 32


class KeyFileError(ValueError):
    """A key file or key text cannot be used; the text says which, why and what to do."""


def kid_of(public_key: bytes) -> str:
    """Return a command key's `kid`: the first 16 hex digits of SHA-256 of the raw public key."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """Return the key in an unencrypted PEM PKCS#8 file.

    Raises:
        KeyFileError: The file cannot be read, is encrypted, or holds something else.
    """
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise KeyFileError(
            f"{path}: cannot be read ({error.strerror}); make one with: warnd terminal keys generate {path}"
        ) from error
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise KeyFileError(f"{path}: is encrypted; store it unencrypted (PEM PKCS#8) with mode 0600") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(
            f"{path}: is no PEM PKCS#8 private key; make one with: warnd terminal keys generate FILE"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(
            f"{path}: holds no Ed25519 key but {type(key).__name__}; make one with: warnd terminal keys generate FILE"
        )
    return key


def private_key_pem(key: Ed25519PrivateKey) -> bytes:
    """Return the key as unencrypted PEM PKCS#8."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_bytes(key: Ed25519PrivateKey | Ed25519PublicKey) -> bytes:
    """Return the 32 raw bytes of the public key."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def public_key_text(key: Ed25519PrivateKey | Ed25519PublicKey | bytes) -> str:
    """Return `public_key` as files carry it: base64url of the 32 raw bytes, without padding."""
    return b64url(key if isinstance(key, bytes) else public_bytes(key))


def parse_public_key(text: str) -> bytes:
    """Return the 32 raw bytes of a `public_key`.

    Raises:
        KeyFileError: Not base64url without padding, or not 32 bytes.
    """
    try:
        raw = unb64url(text)
    except ValueError as error:
        raise KeyFileError(f"public_key {text[:60]!r} is not base64url without padding") from error
    if len(raw) != PUBLIC_KEY_BYTES:
        raise KeyFileError(f"public_key {text[:60]!r} has {len(raw)} bytes; an Ed25519 key has {PUBLIC_KEY_BYTES}")
    return raw


def b64url(raw: bytes) -> str:
    """Return base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def unb64url(text: str) -> bytes:
    """Return what `text` encodes, accepting only the one spelling that `b64url` writes.

    Python's decoder skips foreign characters and ignores spare bits, so that many texts would carry one signature.

    Raises:
        ValueError: Any other spelling.
    """
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError(str(error)) from error
    if b64url(raw) != text:
        raise ValueError("not the one spelling of base64url without padding")
    return raw
