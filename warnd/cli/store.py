"""`warnd db` and `warnd audit`: care for the store itself."""

import typer

from warnd.cli.output import say, warn
from warnd.cli.settled import ConfigFile, load_settings, open_store, ready_store
from warnd.cli.stop import Exit
from warnd.ledger import events
from warnd.ledger.store import shown

db = typer.Typer(help="Care for the store.", no_args_is_help=True)
audit = typer.Typer(help="Check the record of what happened.", no_args_is_help=True)

_SHOWN = 20


@db.callback()
def care() -> None:
    """Care for the store."""


@db.command("upgrade")
def upgrade(*, config: ConfigFile = None) -> None:
    """Create the tables, or bring them to this version. Safe to repeat."""
    settings = load_settings(config)
    newer = ready_store(settings)
    if newer is not None:
        say(
            f"The store {shown(settings.store.url)} is at migration {newer} of a newer warnd; this one can work there, too."
        )
        return
    say(f"The store {shown(settings.store.url)} is at this version.")


@audit.callback()
def check() -> None:
    """Check the record of what happened."""


@audit.command("verify")
def verify(*, config: ConfigFile = None) -> None:
    """Verify every event chain. Exits with 1 if an event was changed or removed."""
    settings = load_settings(config)
    with open_store(settings, begin="BEGIN") as conn:
        found = list(events.verify(conn))
    if not found:
        say("Every event chain verifies.")
        return
    warn(*[f"event {each.no} (writer {each.writer}, number {each.seq}): {each.cause}" for each in found[:_SHOWN]])
    warn(f"{len(found)} breaks. Keep this store as it is and compare it with a backup.")
    raise typer.Exit(Exit.NO)
