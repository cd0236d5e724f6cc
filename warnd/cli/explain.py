"""`warnd explain`: why one recipient did or did not hear one warning, with every try and every proof."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from warnd.cli.client import connect, must
from warnd.cli.given import WarningId
from warnd.cli.output import AsJson, hand_over, say
from warnd.cli.stop import Exit
from warnd.cli.words import moment, plain

RecipientId = Annotated[str, typer.Argument(metavar="RECIPIENT", help="The id in recipients.csv.")]


def explain(warning: WarningId, recipient: RecipientId, *, as_json: AsJson = False) -> None:
    """Show deliveries, tries and receipts of one recipient. Exits with 1 if nothing was meant for them."""
    with connect() as api:
        answer = api.get(f"/api/v1/warnings/{warning}/explain", {"recipient": recipient})
    found = answer.document
    meant = found.get("deliveries") or found.get("publications")
    code = Exit.NO if answer.good and not meant else None
    if as_json:
        hand_over(answer, code=code)
    must(answer)
    say(*_who(found), *_opted_out(found), *_deliveries(found), *_publications(found), *_proof(found))
    if not meant:
        say("Nothing about this warning was meant for this recipient.")
    raise typer.Exit(code or Exit.FINE)


def _who(found: Mapping[str, Any]) -> list[str]:
    who = found.get("recipient")
    if not who:
        return [f"Nobody with the id {plain(found.get('asked'))} is in the directory."]
    seats = ", ".join(plain(seat) for seat in who.get("seats") or ())
    reached = " ".join(plain(who[key]) for key in ("phone_masked", "email_masked", "apprise_masked") if who.get(key))
    return [
        f"{plain(who.get('id'))}: {plain(who.get('kind'))} {plain(who.get('name'))} at {plain(who.get('region'))}",
        f"  seats: {seats or '-'}; language {plain(who.get('lang'))}; address: {reached or 'none'}",
    ]


def _opted_out(found: Mapping[str, Any]) -> list[str]:
    who = found.get("recipient") or {}
    seats = ", ".join(plain(seat) for seat in who.get("seats") or ()) or plain(who.get("kind"))
    return [
        f"  asked for no more {plain(each.get('channel'))} at {plain(each.get('address_masked'))} on {moment(each.get('since'))}; "
        + (f"told all the same because of their duty ({seats})" if each.get("obliged") else "left alone since")
        for each in found.get("opted_out") or ()
    ]


def _deliveries(found: Mapping[str, Any]) -> list[str]:
    lines = []
    for each in found.get("deliveries") or ():
        breach = f"; late since {moment(each['breached_at'])}" if each.get("breached_at") else ""
        lines.append(
            f"{plain(each.get('purpose'))}: {plain(each.get('state'))}, evidence {plain(each.get('evidence'))}, "
            f"demanded {plain(each.get('proof'))} by {moment(each.get('due_by'))}{breach}"
        )
        lines += _legs(each.get("legs") or ())
    return lines


def _publications(found: Mapping[str, Any]) -> list[str]:
    lines = []
    for each in found.get("publications") or ():
        lines.append(f"published by {plain(each.get('channel'))} for {plain(each.get('target'))}")
        lines += _legs(each.get("legs") or ())
    return lines


def _legs(legs: Iterable[Mapping[str, Any]]) -> list[str]:
    lines = []
    for leg in legs:
        due = f", next at {moment(leg['due_at'])}" if leg.get("due_at") else ""
        lines.append(
            f"  {plain(leg.get('channel'))} to {plain(leg.get('address_masked'))}: {plain(leg.get('state'))}{due}"
        )
        for attempt in leg.get("attempts") or ():
            why = f" ({plain(attempt['reason'])})" if attempt.get("reason") else ""
            by = f" by {plain(attempt['sender'])}" if attempt.get("sender") else ""
            lines.append(
                f"    try {plain(attempt.get('number'))} at {moment(attempt.get('submitted_at'))}: {plain(attempt.get('state'))}{by}{why}"
            )
    return lines


def _proof(found: Mapping[str, Any]) -> list[str]:
    lines = [_receipt(each) for each in found.get("receipts") or ()]
    return lines + [_playback(each) for each in found.get("playbacks") or ()]


def _receipt(each: Mapping[str, Any]) -> str:
    part = f" part {plain(each['part'])} of {plain(each.get('parts'))}" if each.get("part") else ""
    word = "failed" if each.get("failed") else plain(each.get("evidence"))
    why = f" ({plain(each['reason'])})" if each.get("reason") else ""
    return f"  receipt {moment(each.get('received_at'))} {plain(each.get('channel'))} {plain(each.get('kind'))}{part}: {word}{why}"


def _playback(each: Mapping[str, Any]) -> str:
    why = f" ({plain(each['reason'])})" if each.get("reason") else ""
    return (
        f"  receipt {moment(each.get('received_at'))} loudspeaker {plain(each.get('stage'))}, pass {plain(each.get('pass_done'))}, "
        f"{plain(each.get('played_ms'))} ms, amplifier {plain(each.get('amplifier'))}{why}"
    )
