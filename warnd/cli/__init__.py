"""The command line: names each command and loads only the one that was asked for.

It owns the way in and the exit codes (DESIGN §10: 0 fine, 1 the answer is no, 2 usage, 3 cannot reach or open). It must never import a
command's module before that command is wanted: a loudspeaker with 60 MB starts the terminal without the daemon's libraries.
"""

import sys
from collections.abc import Sequence
from importlib import import_module

import typer

from warnd.cli.stop import Stop

# name -> module:attribute; a Typer app becomes a group of commands, a function becomes one command.
_COMMANDS = {
    "serve": "warnd.cli.serve:serve",
    "check": "warnd.cli.check:check",
    "demo": "warnd.cli.demo.command:demo",
    "import": "warnd.cli.importing:app",
    "preview": "warnd.cli.preview:preview",
    "submit": "warnd.cli.submit:submit",
    "approve": "warnd.cli.decide:approve",
    "reject": "warnd.cli.decide:reject",
    "cancel": "warnd.cli.decide:cancel",
    "status": "warnd.cli.status:status",
    "coverage": "warnd.cli.coverage:coverage",
    "explain": "warnd.cli.explain:explain",
    "token": "warnd.cli.tokens:app",
    "db": "warnd.cli.store:db",
    "audit": "warnd.cli.store:audit",
    "terminal": "warnd.cli.terminal:app",
}


def build(words: Sequence[str]) -> typer.Typer:
    """Return the application for one command line: with the named command alone, or with all of them when none is named."""
    app = typer.Typer(
        name="warnd",
        help="Dispatches approved early warnings until every village is accounted for.",
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )

    @app.callback()
    def entrance() -> None:  # Without a callback Typer would merge a single command into the application itself.
        pass

    named = next((word for word in words if not word.startswith("-")), None)
    for name in [named] if named in _COMMANDS else _COMMANDS:
        _add(app, name)
    return app


def _add(app: typer.Typer, name: str) -> None:
    module, _, attribute = _COMMANDS[name].partition(":")
    part = getattr(import_module(module), attribute)
    if isinstance(part, typer.Typer):
        app.add_typer(part, name=name)
    else:
        app.command(name)(part)


def main() -> None:
    """Run one command line and leave with its exit code."""
    try:
        build(sys.argv[1:])(prog_name="warnd")
    except Stop as stop:
        sys.stderr.write(f"{stop}\n")
        sys.exit(stop.code)
