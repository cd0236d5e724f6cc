"""Fits a message into a title and a text beside it: a notification, a message in a chat. Place and action come first.

Cut first is the description, by whole sentences; the list of places goes on with "and others"; the action is cut last, and the text
says so.
"""

from warnd.render.marks import Marks
from warnd.render.phrases import clip, clip_places, leading, sentence
from warnd.render.pieces import Pieces
from warnd.render.words import Purpose, Words, told

LIMITS = {"push": 2_000, "apprise": 1_500}
"""Channel -> bytes of UTF-8 for the text. A push message holds 4,096 bytes in all, encrypted (RFC 8030 §7.2); of the chat services the
strictest, WeCom, takes 2,048 with title and link."""

_AREA_SHARE = 5  # A list of places may take a fifth of it.


def note(pieces: Pieces, channel: str, w: Words, *, purpose: Purpose, before: str, marks: Marks) -> tuple[str, str]:
    """Return the title, `before` (the marks) included, and the text."""
    limit = LIMITS[channel]

    def whole(action: str, description: str) -> str:
        closed = {"action": sentence(action, lang=w.lang), "description": sentence(description, lang=w.lang)}
        return pieces.say(channel, purpose, w, area=area, **closed).strip()

    area = clip_places(w.area, limit=limit // _AREA_SHARE, measure=_bytes, more=marks.more, ellipsis=marks.ellipsis)
    action, description = w.instruction, w.description
    if purpose != "warning":
        action, description = "", told(w, w.description) if purpose == "cancel" else ""
    room = limit - _bytes(whole("", ""))
    if _bytes(action) > room:
        left = room - _bytes(marks.cut)
        kept = leading(action, limit=left, measure=_bytes)
        action = (kept or clip(action, limit=left, measure=_bytes, mark="")) + marks.cut
    text = whole(action, leading(description, limit=limit - _bytes(whole(action, "")), measure=_bytes))
    return before + pieces.say(channel, f"{purpose}_title", w), text


def _bytes(text: str) -> int:
    return len(text.encode())
