"""From a message's facts to texts, by channel, language and purpose. The one face of rendering that other rooms see."""

from collections.abc import Collection
from pathlib import Path
from zoneinfo import ZoneInfo

from warnd.channel import Text
from warnd.model.cap.language import primary_language
from warnd.model.reason import Reason
from warnd.model.sms import segments
from warnd.render import elements, trial
from warnd.render.aloud import aloud
from warnd.render.facts import MessageFacts
from warnd.render.mail import mail
from warnd.render.marks import marks, with_tail
from warnd.render.note import LIMITS as NOTES
from warnd.render.note import note
from warnd.render.pieces import Pieces
from warnd.render.short import short
from warnd.render.words import Purpose, words

PREVIEWED = ("sms", "mqtt")
"""Channels whose texts a preview shows, on or off."""


class Templates:
    """The templates of one node.

    Args:
        folder: Holds `<channel>/<lang>.j2`.
        timezone: The node's; every time in every text is local.
        languages: `node.languages`, in order of preference; at least one.
        signature: `sms.signature` without brackets; "" = none.
    """

    def __init__(self, folder: Path, *, timezone: ZoneInfo, languages: tuple[str, ...], signature: str) -> None:
        self._pieces = Pieces(folder)
        self._folder = folder
        self._timezone = timezone
        self._languages = tuple(dict.fromkeys(primary_language(lang) for lang in languages))
        self._signature = signature

    def check(self, channels: Collection[str]) -> list[str]:
        """Return what is wrong with the templates, one sentence each with file, line, cause and fix; run at start.

        Args:
            channels: Those that are on. Texts for phones and loudspeakers are tried in any case: every preview shows them. The rest
                may be missing, so that a folder of one's own outlives the coming of channels that one does not use.
        """
        return trial.problems(
            self._pieces,
            self._folder,
            channels={*channels, *PREVIEWED},
            languages=self._languages,
            timezone=self._timezone,
        )

    def languages(self, message: MessageFacts) -> tuple[str, ...]:
        """Return the node's languages that the message speaks, in the node's order."""
        return tuple(lang for lang in self._languages if message.wording(lang))

    def missing(self, message: MessageFacts, *, lang: str | None = None) -> tuple[Reason, ...]:
        """Return the elements that a release needs and the message lacks, each as a refusal.

        Order: source, issue time, hazard and level, time window, area, action.

        Args:
            message: An Alert or Update; a Cancel needs none of this and is never asked.
            lang: The language to look at; None = all that would be used.
        """
        used = (primary_language(lang),) if lang else self.languages(message)
        return elements.missing(message, languages=used, offered=self._languages)

    def text(
        self,
        channel: str,
        lang: str,
        *,
        message: MessageFacts,
        kind: Purpose,
        drill: bool,
        repeated: bool = False,
        reply_digit: int | None = None,
        asks: bool = False,
    ) -> Text:
        """Return the text for readers of `lang`, or of the node's first language that the message speaks instead.

        For many readers, render once without a digit and give each `with_tail`. Mails that ask for an answer (`asks`) have `ANSWER_LINK` in
        the place of each reader's link.

        Raises:
            KeyError: `channel` carries no written texts.
            ValueError: The time of issue is unknown, or a warning does not say when it ends.
        """
        w = words(message, purpose=kind, lang=self._spoken(message, lang), timezone=self._timezone, drill=drill)
        ours = marks(w.lang)
        if channel in NOTES:
            before = ours.before(signature="", drill=drill, repeated=repeated)
            title, text = note(self._pieces, channel, w, purpose=kind, before=before, marks=ours)
            return Text(lang=w.lang, subject=title, text=text)
        if channel == "email":
            before = ours.before(signature="", drill=drill, repeated=repeated)
            return mail(self._pieces, w, purpose=kind, before=before, marks=ours, asks=asks)
        fit = {"sms": short}[channel]
        before = ours.before(signature=self._signature, drill=drill, repeated=repeated)
        text = fit(self._pieces, w, purpose=kind, before=before, marks=ours)
        made = Text(lang=w.lang, text=text, segments=segments(text))
        return with_tail(made, reply_digit) if reply_digit else made

    def speech(self, message: MessageFacts, kind: Purpose, *, drill: bool) -> tuple[Text, ...]:
        """Return what loudspeakers say: one text per language of the node that the message speaks, in the node's order.

        At least one: a message without any of them is said in the node's first language.

        Raises:
            ValueError: The time of issue is unknown, or a warning does not say when it ends.
        """
        used = self.languages(message) or self._languages[:1]
        return tuple(self._aloud(message, kind, lang=lang, drill=drill, languages=len(used)) for lang in used)

    def _aloud(self, message: MessageFacts, kind: Purpose, *, lang: str, drill: bool, languages: int) -> Text:
        w = words(message, purpose=kind, lang=lang, timezone=self._timezone, drill=drill)
        text = aloud(self._pieces, w, purpose=kind, marks=marks(lang), drill=drill, languages=languages)
        return Text(lang=lang, text=text)

    def _spoken(self, message: MessageFacts, lang: str) -> str:
        wanted = primary_language(lang)
        known = self.languages(message) or self._languages
        return wanted if wanted in known else known[0]
