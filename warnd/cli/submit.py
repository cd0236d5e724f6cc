"""`warnd submit`: hands a CAP document to the daemon and says what became of it."""

import httpx
import typer

from warnd.cli.client import Answer, complaint, connect, exit_code
from warnd.cli.given import CapFile, read_file
from warnd.cli.output import AsJson, hand_over, say, warn
from warnd.cli.stop import Exit
from warnd.cli.words import named, plain, reasons

_NOT_GOING_OUT = {"held", "rejected", "quarantined"}


def submit(file: CapFile, *, as_json: AsJson = False) -> None:
    """Submit an approved warning. Exits with 1 if it is held or refused."""
    document = read_file(file)
    with connect() as api:
        answer = api.post_cap("/api/v1/warnings", document)
    code = verdict(answer)
    if as_json:
        hand_over(answer, code=code)
    (say if code is Exit.FINE else warn)(*_lines(answer))
    raise typer.Exit(code)


def verdict(answer: Answer) -> Exit:
    """Return 0 only for a warning that is on its way or waits for its approval."""
    stuck = answer.status == httpx.codes.ACCEPTED or answer.document.get("state") in _NOT_GOING_OUT
    return Exit.NO if answer.good and stuck else exit_code(answer)


def _lines(answer: Answer) -> list[str]:
    if not answer.good:
        return ["Not taken.", complaint(answer)]
    warning = answer.document
    again = "Known already" if answer.status == httpx.codes.OK else "Taken"
    lines = [f"{again}: {named(warning)} is {plain(warning.get('state'))}."]
    lines += reasons(warning.get("reasons") or ())
    return [*lines, _next_step(str(warning.get("state")), plain(warning.get("id")))]


def _next_step(state: str, warning_id: str) -> str:
    if state in ("held", "in_review"):
        return f"It waits for `warnd approve {warning_id}` or `warnd reject {warning_id} --reason TEXT`."
    return f"See it go out: warnd status {warning_id} --watch"
