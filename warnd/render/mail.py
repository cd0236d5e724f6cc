"""A message as a mail: subject, plain text, and the same as HTML. Nothing is cut but a list of places too long to be read."""

from warnd.channel import ANSWER_LINK, Text
from warnd.render.marks import Marks
from warnd.render.phrases import clip_places
from warnd.render.pieces import Pieces
from warnd.render.words import Purpose, Words, told

_SUBJECT_PLACES = {"zh": 30}  # Characters; more is not shown in a list of mails.
_SUBJECT_PLACES_ELSEWHERE = 60
_PLACES = 2_000


def mail(pieces: Pieces, w: Words, *, purpose: Purpose, before: str, marks: Marks, asks: bool) -> Text:
    """Return the mail; where its readers are asked to answer, `ANSWER_LINK` stands where each one's link belongs.

    `before` are the marks, which no template can lose: before subject and text, and in HTML on a bar of their own.
    """
    values = {
        "area": _places(w, marks, limit=_PLACES),
        "action": w.instruction,
        "description": told(w, w.description) if purpose == "cancel" else w.description,
        "link": ANSWER_LINK if asks else "",
        "mark": before.strip(),
    }
    place = _places(w, marks, limit=_SUBJECT_PLACES.get(w.lang, _SUBJECT_PLACES_ELSEWHERE))
    subject = before + pieces.say("email", f"{purpose}_title", w, place=place)
    return Text(
        lang=w.lang,
        subject=subject,
        text=before + pieces.say("email", purpose, w, **values),
        html=pieces.say("email.html", purpose, w, title=subject, **values),
    )


def _places(w: Words, marks: Marks, *, limit: int) -> str:
    return clip_places(w.area, limit=limit, measure=len, more=marks.more, ellipsis=marks.ellipsis)
