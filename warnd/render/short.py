"""Fits a message into an SMS. The first part alone says level, place and action; then come source, issue time and window.

Cut first is the description, by whole sentences and without a mark, because it asks nothing of the reader. The action is cut last, and
the text says so.
"""

from collections.abc import Callable
from dataclasses import dataclass

from warnd.model import sms
from warnd.render.marks import Marks
from warnd.render.phrases import Measure, clip, clip_places, leading, sentence, sentences
from warnd.render.pieces import Pieces
from warnd.render.words import Purpose, Words, told

PARTS_WANTED = 3
"""What a description may fill a message up to."""

PARTS_MOST = 6
"""What an action may fill a message up to before it is cut: the parts of longer ones come late and out of order."""

_ROOM_LEAST = {
    "zh": 24
}  # Units for place and action in the first part; chopped smaller they say nothing, so they run on instead.
_ROOM_LEAST_ELSEWHERE = 48
_CLOSING = 1  # Unit kept for the full stop that a cut sentence may get.
_TAIL_DIGIT = 9  # All digits are one unit wide; any of them measures the tail.


def short(pieces: Pieces, w: Words, *, purpose: Purpose, before: str, marks: Marks) -> str:
    """Return the whole text, `before` (signature and marks) included, with room kept for the tail but without it."""
    tail = marks.tail.format(_TAIL_DIGIT)
    certain = f"{before}{w.hazard}{w.source}{w.area}{w.instruction}{tail}"
    wide = sms.alphabet(certain) == "ucs2"
    fit = _Fit(
        pieces,
        w,
        before=before,
        marks=marks,
        description="" if not wide and sms.alphabet(w.description) == "ucs2" else w.description,
        first=sms.part_size(certain),
        measure=lambda text: sms.units(text, ucs2=wide),
    )
    return fit.warning() if purpose == "warning" else fit.other(purpose)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opening:
    """The place and the action as the first part says them, and what of the action it leaves for later."""

    place: str
    lead: str
    rest: str


@dataclass(frozen=True, slots=True)
class _Fit:
    """One text being fitted; a description that alone would turn the text into UCS-2 was left out before."""

    pieces: Pieces
    w: Words
    before: str
    marks: Marks
    description: str
    first: int  # Units that the first part of several holds.
    measure: Measure

    def warning(self) -> str:
        opening = self._opening()
        head = self.before + self._say("head", place=opening.place, lead=opening.lead)
        cut = opening.place != self.w.area
        area = self._places(2 * self.first) if cut else ""

        def whole(action: str, description: str) -> str:
            return head + self._say("details", area=area, action=action, description=description)

        action = self._action(opening.rest, lambda part: whole(part, ""))
        return whole(action, self._description(self.description, lambda part: whole(action, part)))

    def other(self, purpose: Purpose) -> str:
        bare = self.measure(self.before + self._say(purpose, place="", description=""))
        place = self._places(max(self.first // 3, self.first - bare))

        def whole(description: str) -> str:
            return self.before + self._say(purpose, place=place, description=description)

        return whole(self._description(told(self.w, self.description) if purpose == "cancel" else "", whole))

    def _say(self, piece: str, **values: str) -> str:
        return self.pieces.say("sms", piece, self.w, **values)

    def _opening(self) -> _Opening:
        left = self.first - self.measure(self.before + self._say("head", place="", lead="")) - _CLOSING
        room = max(left, _ROOM_LEAST.get(self.w.lang, _ROOM_LEAST_ELSEWHERE))
        action = self.w.instruction
        asked = self.measure(next(iter(sentences(action)), "").rstrip())
        limit = max(room // 3, room - asked)
        place = self._places(limit)
        left = room - self.measure(place)
        if lead := leading(action, limit=left, measure=self.measure):
            return _Opening(place=place, lead=self._closed(lead), rest=self._closed(action[len(lead) :].strip()))
        # Not even one sentence fits: the first part says how it begins, and the whole of it follows.
        lead = clip(action, limit=left, measure=self.measure, mark=self.marks.ellipsis)
        return _Opening(place=place, lead=lead, rest=self._closed(action))

    def _places(self, limit: int) -> str:
        ours = self.marks
        return clip_places(self.w.area, limit=limit, measure=self.measure, more=ours.more, ellipsis=ours.ellipsis)

    def _closed(self, text: str) -> str:
        return sentence(text, lang=self.w.lang)

    def _room(self, parts: int, whole: Callable[[str], str]) -> int:
        """Return the units left for one value in a text of so many parts; each part may lose one to a pair kept together."""
        around = self.measure(whole("x")) - 1 + self.measure(self.marks.tail.format(_TAIL_DIGIT))
        return parts * (self.first - 1) - around - _CLOSING

    def _action(self, action: str, whole: Callable[[str], str]) -> str:
        room = self._room(PARTS_MOST, whole)
        if self.measure(action) <= room:
            return action
        left = room - self.measure(self.marks.cut)
        kept = leading(action, limit=left, measure=self.measure)
        return (kept or clip(action, limit=left, measure=self.measure, mark="")) + self.marks.cut

    def _description(self, description: str, whole: Callable[[str], str]) -> str:
        return self._closed(leading(description, limit=self._room(PARTS_WANTED, whole), measure=self.measure))
