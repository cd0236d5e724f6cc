"""Fits a message into what a loudspeaker says: source, level, area, action, time window, and of the description what there is time for.

The area is cut to some places "and others", the description by whole sentences. The action is not cut unless the signed command would
pass the 16 KiB that terminals accept (DESIGN §9); then the speech says that it was.
"""

from warnd.render.marks import Marks
from warnd.render.phrases import clip, clip_places, leading, sentence
from warnd.render.pieces import Pieces
from warnd.render.spoken import spell
from warnd.render.words import Purpose, Words, told

WANTED = 1_000
"""Characters that a description may fill a speech up to, where there are one or two languages."""

MOST = 1_500
"""Characters that an action may fill a speech up to; shared by more than two languages, like `WANTED`. Two Chinese speeches of this length
are 9,000 of the 12,000 bytes that a signed command has room for."""

_AREA_SHARE = 5  # A list of places may take a fifth of what is wanted: nobody remembers more.


def aloud(pieces: Pieces, w: Words, *, purpose: Purpose, marks: Marks, drill: bool, languages: int) -> str:
    """Return the speech, spelt for the ear, `languages` of which share one command."""
    share = min(1.0, 2 / languages)
    wanted, most = int(WANTED * share), int(MOST * share)

    def length(text: str) -> int:
        return len(spell(text, lang=w.lang))

    def whole(action: str, description: str) -> str:
        closed = {"action": sentence(action, lang=w.lang), "description": sentence(description, lang=w.lang)}
        said = spell(pieces.say("mqtt", purpose, w, area=area, **closed), lang=w.lang)
        return f"{marks.drill_aloud}{said}{marks.drill_aloud_end}" if drill else said

    area = clip_places(w.area, limit=wanted // _AREA_SHARE, measure=length, more=marks.more, ellipsis=marks.ellipsis)
    action, description = w.instruction, w.description
    if purpose != "warning":
        action, description = "", told(w, w.description) if purpose == "cancel" else ""
    room = most - len(whole("", ""))
    if length(action) > room:
        kept = leading(action, limit=room - len(marks.cut_aloud), measure=length)
        action = (kept or clip(action, limit=room - len(marks.cut_aloud), measure=length, mark="")) + marks.cut_aloud
    return whole(action, leading(description, limit=wanted - len(whole(action, "")), measure=length))
