"""Who asks: bearer tokens checked by their hash, and the scope that an endpoint needs."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request

from warnd.ledger import tokens
from warnd.model.authority import Principal, Scope
from warnd.web.connections import is_loopback
from warnd.web.doors import Doors, Given
from warnd.web.problems import Problem

_bearer = HTTPBearer(auto_error=False, description="A token that `warnd token create` printed.")
_LONGEST = 512

Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


async def principal(doors: Given, credentials: Credentials) -> Principal:
    """Return whose token came with the request.

    Raises:
        Problem: 401; none came, or nobody's, or a revoked one.
    """
    found = await known(doors, credentials.credentials) if credentials else None
    if found is None:
        raise Problem(
            401,
            "A valid token is needed: send `Authorization: Bearer TOKEN`. `warnd token create` makes one.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return found


async def known(doors: Doors, token: str) -> Principal | None:
    """Return whose token this is, or None."""
    if len(token) > _LONGEST:
        return None
    return await doors.ledger.read(tokens.find, token_hash=tokens.hashed(token))


def _needs(scope: Scope) -> Callable[[Principal], Awaitable[Principal]]:
    async def allowed(by: Annotated[Principal, Depends(principal)]) -> Principal:
        if not by.may(scope):
            raise Problem(403, f"This token's scope is {by.scope}; {scope} is needed. Use a token of that scope.")
        return by

    return allowed


Reader = Annotated[Principal, Depends(_needs("read"))]
Submitter = Annotated[Principal, Depends(_needs("submit"))]
Releaser = Annotated[Principal, Depends(_needs("release"))]


async def is_insider(doors: Doors, request: Request) -> bool:
    """Say whether the caller may see how the daemon itself fares: a token's holder, or a program on this machine."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and await known(doors, token.strip()) is not None:
        return True
    return from_here(request)


def from_here(request: Request) -> bool:
    """Say whether a program on this machine asks.

    A proxy on this machine speaks for others; it says so in a header, and then the address proves nothing.
    """
    forwarded = "forwarded" in request.headers or "x-forwarded-for" in request.headers
    return not forwarded and request.client is not None and is_loopback(request.client.host)
