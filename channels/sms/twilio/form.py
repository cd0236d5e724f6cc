"""One signed form that Twilio posted: read within bounds, and believed only with its signature (twilio.com/docs/usage/security).

The signature covers the address as Twilio called it, which is the public one: behind a proxy the request's own Host says something else.
"""

from hmac import compare_digest
from urllib.parse import parse_qsl, urlsplit

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

    def _at_home(self, request: Request) -> list[str]:
        """Return this machine's other name where the public address is none but this machine's: a program here may use either."""
        called = request.headers.get("host", "")
        names = {urlsplit(self._public_url).hostname, called.partition(":")[0]}
        return [f"http://{called}"] if names == {"127.0.0.1", "localhost"} else []

    def _fits(self, called: str, form: Form, signature: str) -> bool:
        """Check the address as it is first: the library computes every signature twice, with a port in the address and without."""
        computed: str = self._validator.compute_signature(called, form)
        return compare_digest(computed, signature) or bool(self._validator.validate(called, form, signature))

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
        called = f"{path}{'?' if query else ''}{query}"
        bases = [self._public_url, *self._at_home(request)]
        if not signature.isascii() or not any(self._fits(base + called, form, signature) for base in bases):
            raise HTTPException(
                403, "X-Twilio-Signature does not fit. Check http.public_url and sms.twilio.auth_token_file."
            )
        if (
            form.get("AccountSid", self._account_sid) != self._account_sid
        ):  # Left out, the token alone says whose it is.
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
