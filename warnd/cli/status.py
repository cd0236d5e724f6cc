"""`warnd status`: how far warnings have come, once or live. Evidence stands side by side and is never added up."""

import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.text import Text

from warnd.cli.client import Answer, Api, connect, must
from warnd.cli.given import MaybeWarningId
from warnd.cli.output import AsJson, hand_over, say
from warnd.cli.stop import Exit, Stop
from warnd.cli.words import moment, named, plain, totals, villages

_LISTED = 50  # Warnings on a screen without an id; --json has the daemon's page.
_LOOK_AGAIN_S = 1.0
_NAMED = 20  # Recipients on a screen.
_PAGES = 50
_UNREACHED = {
    "exhausted": "NOT REACHED ",
    "expired": "NOT REACHED ",
    "withdrawn": "Not told    ",
    "open": "Being told  ",
}

Watch = Annotated[bool, typer.Option("--watch", help="Stay and show it live until Ctrl-C.")]


def status(warning: MaybeWarningId = None, *, watch: Watch = False, as_json: AsJson = False) -> None:
    """Show how far one warning, or all of them, have come."""
    if watch and as_json:
        raise typer.BadParameter("--watch is for eyes, --json for programs: give one of them")
    with connect() as api:
        if watch:
            _watch(api, warning)
        answer = _ask(api, warning)
        if as_json:
            hand_over(answer)
        say(*screen(api, warning, answer))


def _ask(api: Api, warning: str | None) -> Answer:
    return api.get(f"/api/v1/warnings/{warning}") if warning else api.get("/api/v1/warnings", {"limit": _LISTED})


def screen(api: Api, warning: str | None, answer: Answer) -> list[str]:
    """Return everything `status` shows, the bad news first."""
    document = must(answer)
    shown = [*_details(document), *_unreached(api, document)] if warning else _list(document)
    return [*troubles(api.get("/readyz")), *shown]


def _watch(api: Api, warning: str | None) -> None:
    try:
        if sys.stdout.isatty():
            _watch_live(api, warning)
        else:
            _watch_plain(api, warning)
    except KeyboardInterrupt:
        raise typer.Exit(Exit.FINE) from None


def _watch_live(api: Api, warning: str | None) -> None:
    with Live(auto_refresh=False, screen=False) as live:
        while True:
            live.update(Text("\n".join(_look(api, warning))), refresh=True)
            time.sleep(_LOOK_AGAIN_S)


def _watch_plain(api: Api, warning: str | None) -> None:
    before: list[str] = []
    while True:
        now = _look(api, warning)
        if now != before:
            say(*now, "")
            sys.stdout.flush()
        before = now
        time.sleep(_LOOK_AGAIN_S)


def _look(api: Api, warning: str | None) -> list[str]:
    """Return the screen; a daemon that restarts is shown as such and watched on."""
    try:
        return screen(api, warning, _ask(api, warning))
    except Stop as stop:
        if stop.code is not Exit.UNREACHABLE:
            raise
        return str(stop).splitlines()


def troubles(answer: Answer) -> list[str]:
    """Return what keeps warnings from leaving, then what fails although they leave, from `/readyz`; nothing when all is well."""
    limping = [f"DEGRADED: {plain(each)}" for each in answer.document.get("degraded") or ()]
    if answer.good:
        return limping
    problems = answer.document.get("problems") or [answer.document.get("detail") or f"/readyz answers {answer.status}"]
    return [*(f"NOT WORKING: {plain(each)}" for each in problems), *limping]


def _list(document: Mapping[str, Any]) -> list[str]:
    lines = [f"{named(each)} {plain(each.get('state'))}; {villages(each)}" for each in document.get("warnings") or ()]
    more = ["More warnings follow; --json gives the cursor."] if document.get("cursor") else []
    return [*lines, *more] or ["No warnings."]


def _outlook(told: Mapping[str, Any]) -> list[str]:
    """Return what still waits to go out and when that will be done; that nobody can tell, where nobody can."""
    stuck = ", ".join(plain(each) for each in told.get("stuck") or ())
    if not told.get("due") and not stuck:
        return []
    when = f"done about {moment(told['done_at'])}" if told.get("done_at") else "nobody can tell when it will be done"
    why = f": {stuck} stands, see NOT WORKING" if stuck else ""
    return [f"To go out   {plain(told.get('due'))} tries due; {when}{why}"]


def _unreached(api: Api, warning: Mapping[str, Any]) -> list[str]:
    """Name whom a Cancel has not reached: they may act on what is no longer true."""
    if warning.get("msg_type") != "Cancel":
        return []
    counts = (warning.get("totals") or {}).get("deliveries") or {}
    told = [(meaning, _some(api, warning, state)) for state, meaning in _UNREACHED.items() if counts.get(state)]
    return [f"{meaning}{', '.join(names)}" for meaning, names in told]


def _some(api: Api, warning: Mapping[str, Any], state: str) -> list[str]:
    """Return the first recipients whose delivery is in this state; a page may be empty though more follow."""
    names: list[str] = []
    query: dict[str, str | int] = {"state": state, "limit": _NAMED}
    for _ in range(_PAGES):
        page = must(api.get(f"/api/v1/warnings/{warning.get('id')}/deliveries", query))
        names += [_with_proof(each) for each in page.get("deliveries") or ()]
        if not page.get("cursor"):
            return names
        if len(names) >= _NAMED:
            break
        query["cursor"] = page["cursor"]
    return [*names[:_NAMED], "and more"]


def _with_proof(delivery: Mapping[str, Any]) -> str:
    """Return who it is, and how far the proof went where it fell short."""
    known = plain(delivery.get("evidence"))
    return plain(delivery.get("recipient")) + ("" if known == "none" else f" (only {known})")


def _details(warning: Mapping[str, Any]) -> list[str]:
    planned = (warning.get("totals") or {}).get("planned", True)
    planning = [] if planned or warning.get("state") != "dispatching" else ["Planning is not finished."]
    return [
        f"{named(warning)} is {plain(warning.get('state'))}",
        f"  {plain(warning.get('headline'))}",
        f"  from {plain(warning.get('sender'))}, sent {moment(warning.get('sent'))}, expires {moment(warning.get('expires'))}",
        *totals(warning),
        *planning,
        *_outlook(warning.get("outlook") or {}),
    ]
