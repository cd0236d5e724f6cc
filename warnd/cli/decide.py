"""`warnd approve`, `warnd reject`, `warnd cancel`: an operator's decisions about one warning."""

from typing import Annotated, Literal

import typer

from warnd.cli.client import Answer, connect, must
from warnd.cli.given import WarningId
from warnd.cli.output import AsJson, hand_over, say
from warnd.cli.words import named, plain, reasons

Reason = Annotated[str, typer.Option("--reason", help="Why, for the record.")]
Said = Annotated[
    str, typer.Option("--reason", help="Why; stands in the texts, too, so write it for those who read them.")
]
Lift = Annotated[bool, typer.Option("--lift", help="The danger has passed.")]
Retract = Annotated[bool, typer.Option("--retract", help="It was sent by mistake.")]


def approve(warning: WarningId, *, as_json: AsJson = False) -> None:
    """Release a warning that is held or in review."""
    _decide(warning, "approve", {}, as_json=as_json)


def reject(warning: WarningId, *, reason: Reason, as_json: AsJson = False) -> None:
    """Refuse a warning that is held or in review."""
    _decide(warning, "reject", {"reason": _said(reason)}, as_json=as_json)


def cancel(
    warning: WarningId, *, reason: Said, lift: Lift = False, retract: Retract = False, as_json: AsJson = False
) -> None:
    """Take a warning back: to exactly those who may have got it, ahead of everything else."""
    kind = _kind(lift=lift, retract=retract)
    _decide(warning, "cancel", {"kind": kind, "reason": _said(reason)}, as_json=as_json)


def _decide(warning: str, act: str, body: dict[str, str], *, as_json: bool) -> None:
    with connect() as api:
        answer = api.post(f"/api/v1/warnings/{warning}/{act}", body)
    if as_json:
        hand_over(answer)
    _tell(answer)


def _tell(answer: Answer) -> None:
    document = must(answer)
    say(f"{named(document)} is {plain(document.get('state'))}.", *reasons(document.get("reasons") or ()))


def _kind(*, lift: bool, retract: bool) -> Literal["lift", "retract"]:
    if lift == retract:
        raise typer.BadParameter("say which: --lift (the danger has passed) or --retract (it was sent by mistake)")
    return "lift" if lift else "retract"


def _said(reason: str) -> str:
    if not reason.strip():
        raise typer.BadParameter("give the reason in words", param_hint="--reason")
    return reason.strip()
