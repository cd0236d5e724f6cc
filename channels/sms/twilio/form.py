"""One signed form that Twilio posted: read within bounds, and believed only with its signature (twilio.com/docs/usage/security).

The signature covers the address as Twilio called it, which is the public one: behind a proxy the request's own Host says something else.
"""

from urllib.parse import parse_qsl

from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from twilio.request_validator import RequestValidator

_BODY_MAX = 64 * 1024  # Twilio's forms are about 1 KB; a text has 1,600 characters at most.
_FIELDS_MAX = 200
_MEDIA = "application/x-www-form-urlencoded"

Form = ImmutableMultiDict[str, str]


class Seal:
    """Checks forms against one account.

    Args:
        public_url: As Twilio calls it, without a slash at its end.
    """

    def __init__(self, *, account_sid: str, auth_token: str, public_url: str) -> None:
        self._account_sid = account_sid
        self._validator = RequestValidator(auth_token)
        self._public_url = public_url

    async def form(self, request: Request, *, path: str) -> Form:
        """Return the form of a request to `path`.

        Raises:
            HTTPException: 415 another kind of body, 413 too large, 400 no form, 403 not signed with this account's token, or not ours.
        """
        signature = request.headers.get("x-twilio-signature", "")
        if not signature:  # Before anything is read: a stranger is not worth a byte.
            raise HTTPException(403, "X-Twilio-Signature is missing.")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _MEDIA:
            raise HTTPException(415, f"Send {_MEDIA}.")
        form = _parsed(await _body(request))
        query = request.scope.get("query_string", b"").decode("latin-1")
        url = f"{self._public_url}{path}{'?' if query else ''}{query}"
        if not signature.isascii() or not self._validator.validate(url, form, signature):
            raise HTTPException(
                403, "X-Twilio-Signature does not fit. Check http.public_url and sms.twilio.auth_token_file."
            )
        if form.get("AccountSid") != self._account_sid:
            raise HTTPException(403, "AccountSid is not ours.")
        return form


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > _BODY_MAX:
                raise HTTPException(413, f"At most {_BODY_MAX} bytes.", headers={"Connection": "close"})
    except ClientDisconnect:
        raise HTTPException(400, "The connection broke before the form was whole.") from None
    return bytes(body)


def _parsed(body: bytes) -> Form:
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=_FIELDS_MAX,
            errors="strict",
            strict_parsing=bool(body),
        )
    except ValueError:
        raise HTTPException(400, "The body is no form in UTF-8.") from None
    return ImmutableMultiDict(pairs)
