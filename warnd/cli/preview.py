"""`warnd preview`: who would hear a warning and in what words, before anything is released."""

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from warnd.cli.client import connect, must
from warnd.cli.given import CapFile, read_file
from warnd.cli.output import AsJson, hand_over, say
from warnd.cli.stop import Exit
from warnd.cli.words import moment, plain, reasons

_BLOCKING = {"refuse", "hold"}
_SHOWN = 20  # Villages named on a screen; --json has them all.


def preview(file: CapFile, *, as_json: AsJson = False) -> None:
    """Show villages, people, terminals, texts and segments. Exits with 1 if it would be held or refused."""
    document = read_file(file)
    with connect() as api:
        answer = api.post_cap("/api/v1/warnings/preview", document)
    found = answer.document.get("reasons") or ()
    blocked = any(reason.get("verdict") in _BLOCKING for reason in found)
    code = Exit.NO if answer.good and blocked else None
    if as_json:
        hand_over(answer, code=code)
    say(*_reach(must(answer)), *_doubts(answer.document), *_texts(answer.document), *reasons(found))
    raise typer.Exit(code or Exit.FINE)


def _reach(seen: Mapping[str, Any]) -> list[str]:
    people = seen.get("people") or {}
    villages = seen.get("villages") or {}
    return [
        f"Level       {plain(seen.get('level'))}",
        f"Villages    {plain(villages.get('count', 0))}",
        *[f"People      {plain(count)} {plain(role)}" for role, count in people.items()],
        f"Terminals   {plain(seen.get('terminals', 0))}",
        f"Households  {plain(seen.get('households', 0))}",
    ]


def _doubts(seen: Mapping[str, Any]) -> list[str]:
    lonely = seen.get("villages_without_live_path") or ()
    lines = [f"No live path to {len(lonely)} villages:"] if lonely else []
    lines += [
        f"  {plain(each.get('code'))} {plain(each.get('name'))}: {plain(each.get('reason'))}"
        for each in lonely[:_SHOWN]
    ]
    lines += [f"  and {len(lonely) - _SHOWN} more; --json names them"] if len(lonely) > _SHOWN else []
    lines += [
        f"Told all the same: {plain(each.get('recipient'))}, who asked for no more {plain(each.get('channel'))} "
        f"at {plain(each.get('address_masked'))} on {moment(each.get('since'))}"
        for each in seen.get("opted_out") or ()
    ]
    lines += _listed("Outside this node's jurisdiction, not messaged", seen.get("outside") or ())
    lines += _listed("Languages without a text", seen.get("missing_languages") or ())
    lines += _listed("Geocodes unknown here", seen.get("unknown_geocodes") or ())
    lines += _listed("Villages named by geocode only, not by the polygon", seen.get("only_by_geocode") or ())
    return lines + _listed("Villages within the polygon only, not named by geocode", seen.get("only_by_polygon") or ())


def _listed(title: str, found: Sequence[Any]) -> list[str]:
    if not found:
        return []
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return [f"{title}: {', '.join(_one(each) for each in found[:_SHOWN])}{more}"]


def _one(found: Any) -> str:
    return "=".join(plain(part) for part in found) if isinstance(found, list) else plain(found)


def _texts(seen: Mapping[str, Any]) -> list[str]:
    lines = []
    for text in seen.get("texts") or ():
        lines.append(
            f"{plain(text.get('channel'))} {plain(text.get('lang'))} ({plain(text.get('segments'))} segments):"
        )
        lines.append(f"  {plain(text.get('text'))}")
    return [*lines, f"SMS segments in all: {plain(seen.get('segments_total', 0))}"]
