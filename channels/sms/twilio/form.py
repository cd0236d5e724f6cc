"""One signed form that Twilio posted: read within bounds, and believed only with its signature (twilio.com/docs/usage/security).

The signature covers the address as Twilio called it, which is the public one: behind a proxy the request's own Host says something else.
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hmac import compare_digest
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from twilio.request_validator import RequestValidator

_BODY_MAX = 64 * 1024  # Twilio's forms are about 1 KB; a text has 1,600 characters at most.
_FIELDS_MAX = 200
_MEDIA = b"application/x-www-form-urlencoded"

Form = Mapping[str, str]
"""The last value of each name."""
_Pairs = Sequence[tuple[str, str]]


class Seal:
    """Checks forms against one account.

    Args:
        public_url: As Twilio calls it, without a slash at its end.
    """

    def __init__(self, *, account_sid: str, auth_token: str, public_url: str) -> None:
        self._account_sid = account_sid
        self._validator = RequestValidator(auth_token)
        self._key = auth_token.encode()
        self._public_url = public_url

    def _at_home(self, request: Request) -> list[str]:
        """Return this machine's other name where the public address is none but this machine's: a program here may use either."""
        called = request.headers.get("host", "")
        names = {urlsplit(self._public_url).hostname, called.partition(":")[0]}
        return [f"http://{called}"] if names == {"127.0.0.1", "localhost"} else []

    def _fits(self, called: str, pairs: _Pairs, signature: str) -> bool:
        """Check the address as it is first, in one go; the library, whose word is the last, does it with a port in it and without."""
        signed = called + "".join([name + value for name, value in sorted(set(pairs))])
        computed = b64encode(hmac.digest(self._key, signed.encode(), "sha1")).decode()
        return compare_digest(computed, signature) or bool(
            self._validator.validate(called, ImmutableMultiDict(pairs), signature)
        )

    def _signed(self, request: Request, called: str, pairs: _Pairs, signature: str) -> bool:
        return self._fits(self._public_url + called, pairs, signature) or any(
            self._fits(base + called, pairs, signature) for base in self._at_home(request)
        )

    async def form(self, request: Request, *, path: str) -> Form:
        """Return the form of a request to `path`.

        Raises:
            HTTPException: 415 another kind of body, 413 too large, 400 no form, 403 not signed with this account's token, or not ours.
        """
        headers = dict(request.scope["headers"])
        signature = headers.get(b"x-twilio-signature", b"").decode("latin-1")
        if not signature:  # Before anything is read: a stranger is not worth a byte.
            raise HTTPException(403, "X-Twilio-Signature is missing.")
        if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != _MEDIA:
            raise HTTPException(415, f"Send {_MEDIA.decode()}.")
        pairs = _parsed(await _body(request))
        query = request.scope.get("query_string", b"").decode("latin-1")
        called = f"{path}{'?' if query else ''}{query}"
        if not signature.isascii() or not self._signed(request, called, pairs, signature):
            raise HTTPException(
                403, "X-Twilio-Signature does not fit. Check http.public_url and sms.twilio.auth_token_file."
            )
        form = dict(pairs)
        if (
            form.get("AccountSid", self._account_sid) != self._account_sid
        ):  # Left out, the token alone says whose it is.
            raise HTTPException(403, "AccountSid is not ours.")
        return form


async def _body(request: Request) -> bytes:
    body: bytes = b""
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(400, "The connection broke before the form was whole.")
        body += message.get("body", b"")
        if len(body) > _BODY_MAX:
            raise HTTPException(413, f"At most {_BODY_MAX} bytes.", headers={"Connection": "close"})
        if not message.get("more_body", False):
            return body


def _parsed(body: bytes) -> _Pairs:
    try:
        return parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=_FIELDS_MAX,
            errors="strict",
            strict_parsing=bool(body),
        )
    except ValueError:
        raise HTTPException(400, "The body is no form in UTF-8.") from None
