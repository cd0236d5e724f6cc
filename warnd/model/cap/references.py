"""The `references` element (CAP 1.2 §3.2.1): sender,identifier,sent triples with white space between, more or less."""

import re
from datetime import datetime

from warnd.model.cap.alert import Reference
from warnd.model.cap.times import UnreadableTimeError, read_time, write_time

_TIME_LIKE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T")


def read_references(text: str) -> tuple[tuple[Reference, ...], tuple[str, ...]]:
    """Return the messages named and the words that name none.

    Cancelling depends on it, so mistakes that feeds make are read as meant: a sender or identifier with spaces in it,
    triples joined by commas instead of spaces, and a third part that is no time (nothing is matched by it).
    """
    references: list[Reference] = []
    unreadable: list[str] = []
    pending: list[str] = []
    for word in text.split():
        pending.append(word)
        if _TIME_LIKE.match(word.rpartition(",")[2]):
            _take(pending, references, unreadable)
            pending = []
    for word in pending:
        _take([word], references, unreadable)
    return tuple(references), tuple(unreadable)


def write_references(references: tuple[Reference, ...], unreadable: tuple[str, ...]) -> str:
    """Return the text that `read_references` reads."""
    return " ".join([*map(_triple, references), *unreadable])


def _take(words: list[str], references: list[Reference], unreadable: list[str]) -> None:
    together = _triples(" ".join(words))
    if together:
        references += together
        return
    for word in words:
        alone = _triples(word)
        references += alone
        if not alone:
            unreadable.append(word)


def _triple(reference: Reference) -> str:
    sent = reference.sent_text if reference.sent is None else write_time(reference.sent)
    return f"{reference.sender},{reference.identifier},{sent}"


def _triples(text: str) -> list[Reference]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) % 3 or not all(parts):
        return []
    triples = list(zip(parts[::3], parts[1::3], parts[2::3], strict=True))
    if len(triples) > 1 and not all(_TIME_LIKE.match(sent_text) for _, _, sent_text in triples):
        return []
    return [_reference(sender, identifier, sent_text) for sender, identifier, sent_text in triples]


def _reference(sender: str, identifier: str, sent_text: str) -> Reference:
    sent = _aware(sent_text)
    return Reference(sender, identifier, sent, "" if sent else sent_text)


def _aware(text: str) -> datetime | None:
    try:
        moment, zoned = read_time(text)
    except UnreadableTimeError:
        return None
    return moment if zoned else None
