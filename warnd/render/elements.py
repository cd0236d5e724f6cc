"""Which elements a warning needs before it may be released; a missing one is refused by name."""

from collections.abc import Iterator

from warnd.model.reason import Reason, Verdict
from warnd.render.facts import MessageFacts, Wording


def missing(message: MessageFacts, *, languages: tuple[str, ...], offered: tuple[str, ...]) -> tuple[Reason, ...]:
    """Return a refusal for each missing element, in the order in which texts say them.

    Args:
        message: What the warning says.
        languages: Those to look at.
        offered: The node's languages, for saying what could be written.
    """
    if not languages:
        spoken = ", ".join(each.lang for each in message.wordings) or "none"
        fix = f"Add an info in one of the node's languages: {', '.join(offered)}."
        return (_refusal("info/language", f"The warning speaks {spoken}, which no template here does", fix),)
    found = (reason for lang in languages for reason in _of_language(message, lang))
    return tuple(dict.fromkeys(found))


def _of_language(message: MessageFacts, lang: str) -> Iterator[Reason]:
    wording = message.wording(lang)
    if wording is None:
        yield _refusal("info/language", f"There is no info in {lang}", f"Add an info whose language is {lang}.")
        return
    path = f"info[{wording.info}]"
    if not wording.source:
        cause = f"The {lang} text does not say who warns"
        yield _refusal(f"{path}/senderName", cause, "Add `senderName`, or a name for this sender in the settings.")
    if message.issued_at is None:
        yield _refusal("sent", "The time of issue has no zone", "Write `sent` with its offset, like +08:00.")
    yield from _hazard(message, wording, path)
    if message.ends_at is None:
        yield _refusal(f"{path}/expires", "The warning says of no time when it ends", "Add `expires` to each info.")
    if not wording.area:
        cause = f"The {lang} text names no place"
        yield _refusal(f"{path}/area[1]/areaDesc", cause, "Describe the area in this language.")
    if not wording.instruction:
        cause = f"The {lang} text does not say what to do"
        yield _refusal(f"{path}/instruction", cause, "Add `instruction`, the action to take, in this language.")


def _hazard(message: MessageFacts, wording: Wording, path: str) -> Iterator[Reason]:
    if not wording.event:
        yield _refusal(f"{path}/event", f"The {wording.lang} text names no hazard", "Write the hazard into `event`.")
    if message.level is None:
        fix = "Add the parameter warnd:level with red, orange, yellow or blue."
        yield _refusal(f"{path}/parameter", "The level is unknown", fix)


def _refusal(element: str, cause: str, fix: str) -> Reason:
    return Reason(code="element_missing", element=element, cause=cause, fix=fix, verdict=Verdict.REFUSE)
