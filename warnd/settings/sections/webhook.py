"""`[webhook]`: other systems that are told of every public message."""

import base64
import binascii
import re
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PlainValidator, SecretStr

from warnd.settings.explain import UnfitError
from warnd.settings.kinds import Count, Rate, Seconds, SecretText, Table

_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_PREFIX = "whsec_"
_SECRET_BYTES = range(24, 65)  # As Standard Webhooks wants it.


def _endpoint_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        cause = f'"{value}" cannot name an endpoint.'
        raise UnfitError(cause, 'Use 1 to 40 letters, digits, "-" and "_".')
    return value


def _signing_secret(value: SecretStr) -> SecretStr:
    given = value.get_secret_value()
    try:
        raw = base64.b64decode(given.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not given.startswith(_PREFIX) or len(raw) not in _SECRET_BYTES:
        raise UnfitError(
            "It holds no signing secret.",
            f'Write "{_PREFIX}" and 24 to 64 random bytes as base64 into it, on one line.',
        )
    return value


def receiver(value: Any) -> str:
    """Return a web address that may be called from here: https, or http on this machine itself."""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        host = (parts.hostname or "") if parts else ""
        usable = parts is not None and bool(host) and not parts.fragment and not parts.username and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts is None:
        raise UnfitError(
            f'Found "{value}"; it should be a web address.', 'Write it like "https://example.org/warnings".'
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise UnfitError(
            f'"{value}" is not https.', "Write an https address; http is taken only to this machine itself."
        )
    return str(value)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


SigningSecret = Annotated[SecretStr, SecretText, AfterValidator(_signing_secret)]


class WebhookEndpoint(Table):
    """One receiver.

    Attributes:
        next_secret: While the receiver changes from one secret to the other, posts are signed with both.
    """

    url: Annotated[str, PlainValidator(receiver)] = Field(description="the https address that is posted to")
    secret: SigningSecret = Field(
        alias="secret_file", description='a file whose one line is the signing secret, "whsec_" and base64'
    )
    next_secret: SigningSecret | None = Field(
        default=None,
        alias="next_secret_file",
        description="a file with the secret that will follow; both sign until secret_file is replaced",
    )


class Webhook(Table):
    """Outgoing webhooks."""

    endpoints: dict[Annotated[str, AfterValidator(_endpoint_name)], WebhookEndpoint] = Field(
        description="tables [webhook.endpoints.NAME] with url and secret_file"
    )
    timeout_s: Seconds = Field(default=15, description="how many seconds one post may take altogether")
    rate_per_s: Rate = Field(default=100, description="posts per second, above 0")
    concurrency: Count = Field(default=20, description="how many posts may be under way at once, 1 to 10000")
