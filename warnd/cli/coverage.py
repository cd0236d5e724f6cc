"""`warnd coverage`: which villages are confirmed, and for each other one why not and since when."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from warnd.cli.client import Answer, Api, connect, must
from warnd.cli.given import WarningId
from warnd.cli.output import AsJson, hand_over, say
from warnd.cli.stop import Exit
from warnd.cli.words import moment, plain

Unconfirmed = Annotated[bool, typer.Option("--unconfirmed", help="Only the villages that are not confirmed.")]
Parent = Annotated[str | None, typer.Option("--parent", metavar="CODE", help="Look into this region.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, max=1000, help="Villages per page of --json.")]
Cursor = Annotated[str | None, typer.Option("--cursor", help="The page of --json after this cursor.")]


def coverage(
    warning: WarningId,
    *,
    unconfirmed: Unconfirmed = False,
    parent: Parent = None,
    limit: Limit = None,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Show confirmed and unconfirmed villages. Exits with 1 if any village is unconfirmed."""
    path = f"/api/v1/warnings/{warning}"
    with connect() as api:
        # Asked first: villages appear chunk by chunk while the planner works, so an empty list proves nothing before it is done.
        planning = _still_planning(api.get(path))
        first = api.get(f"{path}/coverage", {"parent": parent, "limit": limit, "cursor": cursor})
        code = Exit.NO if first.good and (planning or first.document.get("unconfirmed")) else None
        if as_json:
            hand_over(first, code=code)
        must(first)
        say(*([] if unconfirmed else regions(first.document)))
        say(*villages(_all_unconfirmed(api, f"{path}/coverage", {"parent": parent, "limit": 1000, "cursor": cursor})))
        say(*(["Planning is not finished: more villages may follow."] if planning else []))
    raise typer.Exit(code or Exit.FINE)


def _still_planning(answer: Answer) -> bool:
    totals = answer.document.get("totals") or {}
    return answer.document.get("state") == "dispatching" and totals.get("planned") is False


def _all_unconfirmed(api: Api, path: str, params: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    for answer in api.pages(path, params):
        yield from must(answer).get("unconfirmed") or ()


def regions(document: Mapping[str, Any]) -> list[str]:
    """Return one line for each region, confirmed of targeted, and how long it took."""
    lines = [
        f"{plain(each.get('code'))}  {plain(each.get('name'))}: "
        f"{plain(each.get('villages_confirmed'))} of {plain(each.get('villages_targeted'))} villages confirmed"
        for each in document.get("regions") or ()
    ]
    return [*lines, pace(document)]


def pace(document: Mapping[str, Any]) -> str:
    """Return when half, nine tenths and all of the targeted villages were confirmed."""
    at = document.get("confirmed_at") or {}
    shares = (("50 %", "p50"), ("90 %", "p90"), ("all", "p100"))
    told = [f"{share} {'not yet' if at.get(key) is None else f'after {at[key]} s'}" for share, key in shares]
    return f"Confirmed: {', '.join(told)}."


def villages(unconfirmed: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return one line for each village that is not confirmed."""
    lines = []
    for each in unconfirmed:
        detail = f" ({plain(each['detail'])})" if each.get("detail") else ""
        step = f"; next: {plain(each['next_step'])} at {moment(each.get('next_at'))}" if each.get("next_step") else ""
        lines.append(
            f"{plain(each.get('code'))}  {plain(each.get('name'))}: {plain(each.get('reason'))}{detail} "
            f"since {moment(each.get('since'))}{step}"
        )
    return lines or ["No targeted village is unconfirmed."]
