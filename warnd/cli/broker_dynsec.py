"""Users and rights in a mosquitto with dynamic security, changed while it runs, over `$CONTROL/dynamic-security/v1`.

Every change may be repeated: what stands already is brought to what it should be.
"""

import asyncio
import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiomqtt

from warnd.cli.broker_rights import DEFAULTS, role_of
from warnd.cli.stop import Exit, Stop

_CONTROL: Final = "$CONTROL/dynamic-security/v1"
_ANSWER_S: Final = 10.0
_THERE: Final = frozenset({"Client already exists", "Role already exists", "Client is already in this role"})
_GONE: Final = frozenset({"Client not found", "Role not found"})


@dataclass(frozen=True, slots=True)
class Admin:
    """Who may change users at the broker, and where it is."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """A user as it should stand at the broker."""

    user: str
    password: str = field(repr=False)
    rights: Sequence[dict[str, Any]]


def enrol(admin: Admin, logins: Sequence[Login]) -> None:
    """Make users with a role of their own each, or give those that are there this password and these rights, and let them in.

    Raises:
        Stop: The broker cannot be reached, refuses us, or refuses a change.
    """
    commands: list[dict[str, Any]] = [{"command": "setDefaultACLAccess", "acls": list(DEFAULTS)}]
    for login in logins:
        role, user = role_of(login.user), {"username": login.user}
        commands += [
            {"command": "createRole", "rolename": role},
            {"command": "modifyRole", "rolename": role, "acls": list(login.rights)},
            {"command": "createClient", **user, "password": login.password},
            {"command": "modifyClient", **user, "password": login.password, "roles": [{"rolename": role}]},
            {"command": "enableClient", **user},
        ]
    asyncio.run(_change(admin, commands, fine=_THERE))


def expel(admin: Admin, users: Sequence[str]) -> None:
    """Shut users out and cut their connections, now; who is not there is out already.

    Raises:
        Stop: As `enrol`.
    """
    commands = [{"command": "disableClient", "username": user} for user in users]
    asyncio.run(_change(admin, commands, fine=_GONE))


async def _change(admin: Admin, commands: Sequence[dict[str, Any]], *, fine: frozenset[str]) -> None:
    where = f"{admin.host}:{admin.port}"
    try:
        async with asyncio.timeout(_ANSWER_S), _client(admin) as client:
            await client.subscribe(f"{_CONTROL}/response", qos=1)
            for command in commands:  # One by one: a long list would be longer than the broker takes.
                await client.publish(_CONTROL, json.dumps({"commands": [command]}), qos=1)
                answer = json.loads(bytes((await anext(aiter(client.messages))).payload))
                _check(answer, fine=fine)
    except TimeoutError as error:
        cause = f"the broker at {where} does not answer on {_CONTROL}; is dynamic security on, and is this its administrator?"
        raise Stop(cause, code=Exit.UNREACHABLE) from error
    except (aiomqtt.MqttError, OSError) as error:
        cause = f"the broker at {where} cannot be used ({error}); check [mqtt.admin] and that the broker runs"
        raise Stop(cause, code=Exit.UNREACHABLE) from error


def _client(admin: Admin) -> aiomqtt.Client:
    return aiomqtt.Client(
        admin.host,
        admin.port,
        username=admin.username,
        password=admin.password,
        protocol=aiomqtt.ProtocolVersion.V5,
        tls_context=admin.tls,
        timeout=_ANSWER_S,
    )


def _check(answer: dict[str, Any], *, fine: frozenset[str]) -> None:
    for said in answer.get("responses", []):
        wrong = said.get("error")
        if wrong is not None and wrong not in fine:
            raise Stop(f"the broker refuses {said.get('command')}: {wrong}", code=Exit.NO)
