"""`warnd token create`: lets a person or a program in. The token itself is printed once and kept nowhere."""

import secrets
from typing import Annotated

import typer

from warnd.cli.output import say, warn
from warnd.cli.settled import ConfigFile, load_settings, open_store, ready_store
from warnd.clock import SystemClock
from warnd.ledger import directory, tokens
from warnd.model.authority import Scope
from warnd.model.region import stored_code

app = typer.Typer(help="Let programs and people in.", no_args_is_help=True)

_BYTES = 32

Scoped = Annotated[
    Scope, typer.Option("--scope", help="What it may do; release includes submit, submit includes read.")
]
Senders = Annotated[
    list[str] | None, typer.Option("--sender", help="A CAP sender it may speak for; repeat for more; none = any.")
]
Region = Annotated[str | None, typer.Option("--region", metavar="CODE", help="The subtree its warnings may target.")]


@app.callback()
def token() -> None:
    """Let programs and people in."""


@app.command()
def create(*, scope: Scoped, sender: Senders = None, region: Region = None, config: ConfigFile = None) -> None:
    """Create a token and print only the token: whoever has it may act."""
    senders = [each.strip() for each in sender or []]
    if not all(senders):
        raise typer.BadParameter("a CAP sender is not empty", param_hint="--sender")
    settings = load_settings(config)
    ready_store(settings)
    secret = (
        f"warnd_{secrets.token_urlsafe(_BYTES)}"  # Named, so that a leaked one is recognised; never begins with "-".
    )
    code = stored_code(region.strip()) if region and region.strip() else None
    with open_store(settings) as conn:
        unknown = code is not None and not directory.find_regions(conn, codes=[code])
        now = SystemClock().now()
        tokens.create(conn, token_hash=tokens.hashed(secret), scope=scope, senders=senders, region=code, now=now)
    if unknown:
        warn(f"Region {code} is not imported: until it is, this token can target nothing.")
    say(secret)
