"""The marks around a text that are contract and safety, so that no edited template can lose them (DESIGN §13 SMS)."""

from dataclasses import dataclass
from functools import lru_cache

from warnd.channel import Text
from warnd.model.sms import segments


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What stands round every text of one language.

    Attributes:
        drill, repeat: Stand before the words, in this order.
        tail: Stands after the last word; {} is the reply digit.
        cut: Stands where a part of the action was left out.
        ellipsis: Stands where a phrase breaks off.
        more: Stands after a list of places that goes on; the full stop is the template's.
        drill_aloud, drill_aloud_end: What a loudspeaker says before and after a drill's words.
        cut_aloud: As `cut`, for the ear.
    """

    drill: str
    repeat: str
    tail: str
    cut: str
    ellipsis: str
    more: str
    drill_aloud: str
    drill_aloud_end: str
    cut_aloud: str

    def before(self, *, signature: str, drill: bool, repeated: bool) -> str:
        """Return everything that stands before the first word."""
        signed = f"【{signature}】" if signature else ""
        return signed + (self.drill if drill else "") + (self.repeat if repeated else "")


_MARKS = {
    "zh": Marks(
        drill="【演练】",
        repeat="（重发）",
        tail="回复{}确认",
        cut="（有删节）",
        ellipsis="…",
        more="等地",
        drill_aloud="演练，演练，这是演练。",
        drill_aloud_end="演练，这是演练。",
        cut_aloud="以下内容从略。",
    ),
    "en": Marks(
        drill="[EXERCISE] ",
        repeat="(repeat) ",
        tail=" Reply {} to confirm",
        cut=" (shortened)",
        ellipsis="...",
        more=" etc",
        drill_aloud="This is an exercise. This is an exercise. ",
        drill_aloud_end=" This is an exercise.",
        cut_aloud=" The rest is left out.",
    ),
}


def marks(lang: str) -> Marks:
    """Return a language's marks; other languages get the English ones, which a stranger is likeliest to know."""
    return _MARKS.get(lang, _MARKS["en"])


@lru_cache(maxsize=512)
def with_tail(text: Text, digit: int) -> Text:
    """Return an SMS that ends by asking for an answer with `digit` (1–9), its segments counted again.

    A message to a million phones has at most nine endings, so each is made once.
    """
    whole = text.text + marks(text.lang).tail.format(digit)
    return Text(lang=text.lang, text=whole, subject=text.subject, segments=segments(whole))
