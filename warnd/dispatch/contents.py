"""What is said: from a claimed try to the prepared texts that a channel carries. Rendered once per message, audience and language."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, cast
from zoneinfo import ZoneInfo

from warnd.channel import Failed, Kind, Message, Outgoing, Text
from warnd.clock import Clock
from warnd.dispatch.recordings import PURPOSE, Recordings, Wanted
from warnd.ledger import messages, warnings
from warnd.ledger.claims import Claimed
from warnd.ledger.messages import Story
from warnd.ledger.node import attempt_id
from warnd.ledger.store import Ledger
from warnd.ledger.values import from_ms
from warnd.model import cap
from warnd.model.answer import LINKED
from warnd.model.hours import quiet_for_s
from warnd.model.level import Level
from warnd.model.plan import Plan
from warnd.render import MessageFacts, Purpose, Templates, clip, facts, with_tail

_START_WITHIN_S = 1.5  # After a claim; keeps every network call within the two seconds that a cancel allows.
_BRIEF = 200  # Characters.
_KEEP = 64  # Messages whose texts are kept ready.
_INLINE_BYTES = 64 * 1024  # Longer documents are read in a thread, so that nothing else waits for them.
_WORDLESS = frozenset({"web", "webhook"})  # Channels that say a message in a form of their own.


@dataclass(slots=True)
class _Script:
    """One message, ready to be said; texts are added as they are asked for."""

    message: Message
    facts: MessageFacts
    alert: cap.Alert
    urgency: int
    texts: dict[tuple[str, str, str, bool, bool], tuple[Text, ...]] = field(default_factory=dict)


class Contents:
    """Makes outgoings from claims. Keeps the texts of recent messages, so that a million recipients cost one rendering."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        *,
        templates: Templates,
        timezone: ZoneInfo,
        tag: str,
        sender_names: Mapping[str, str],
        recordings: Recordings,
        answer_url: Callable[[str], str] | None = None,
    ) -> None:
        self._answer_url = answer_url
        self._ledger = ledger
        self._clock = clock
        self._templates = templates
        self._timezone = timezone
        self._tag = tag
        self._sender_names = sender_names
        self._recordings = recordings
        self._scripts: dict[int, _Script] = {}

    async def outgoing(self, claimed: Claimed, *, claimed_at: float) -> Outgoing | Failed:
        """Return what to send for a claim, or why it must not be sent now.

        `claimed_at` is the moment of the claim's commit on the clock's monotonic scale: a Cancel may have come right after it.
        """
        script = await self._script(claimed.message_no)
        quiet_s = self._quiet_s(script.message, claimed)
        if quiet_s > 0:
            return Failed("loudspeakers are silent at this hour", retry="throttled", retry_after_s=quiet_s)
        texts = await self._texts(script, claimed)
        if isinstance(texts, Failed):
            return texts
        return Outgoing(
            attempt=attempt_id(self._tag, claimed.leg_no, claimed.number),
            message=script.message,
            recipient=claimed.recipient,
            address=claimed.address,
            texts=texts,
            regions=None if claimed.regions is None else tuple(json.loads(claimed.regions)),
            repeated=claimed.repeated,
            answer_url=self._link(claimed),
            start_by=claimed_at + _START_WITHIN_S,
            sender=claimed.sender or None,
        )

    def _link(self, claimed: Claimed) -> str | None:
        """Return where this one person confirms that they have read it."""
        if self._answer_url is None or not claimed.asks or claimed.channel not in LINKED:
            return None
        return self._answer_url(attempt_id(self._tag, claimed.leg_no, claimed.number))

    def _quiet_s(self, message: Message, claimed: Claimed) -> float:
        if claimed.channel != "mqtt" or message.verb == "stop":
            return 0.0
        return quiet_for_s(message.hours, now=self._clock.now(), timezone=self._timezone)

    async def speech(self, message_no: int) -> Wanted:
        """Return what loudspeakers shall say of a message, before anybody is told.

        Raises:
            ValueError, SQLAlchemyError: It cannot be rendered, or the ledger does not answer.
        """
        return self._wanted(await self._script(message_no), message_no)

    async def speech_in_review(self, warning_id: str) -> Wanted | None:
        """Return what loudspeakers would say of a warning that waits for its release; None = it cannot be said yet."""
        row = await self._ledger.read(warnings.by_id, warning_id=warning_id)
        if row is None or row.level is None:
            return None
        alert = await asyncio.to_thread(cap.parse, row.document)
        level, drill = Level(row.level), row.status != "Actual"
        said = facts(alert, level=level, sender_names=self._sender_names)
        if said.issued_at is None or said.ends_at is None:
            return None
        texts = self._templates.speech(said, PURPOSE, drill=drill)
        return Wanted(None, alert, texts, level=level, drill=drill)

    def _wanted(self, script: _Script, message_no: int) -> Wanted:
        drill = script.message.drill
        texts = self._templates.speech(script.facts, PURPOSE, drill=drill)
        return Wanted(message_no, script.alert, texts, level=script.message.level, drill=drill)

    async def _texts(self, script: _Script, claimed: Claimed) -> tuple[Text, ...] | Failed:
        asks = self._link(claimed) is not None
        key = (claimed.channel, claimed.lang, claimed.purpose, claimed.repeated, asks)
        if key not in script.texts:
            made = await self._made(script, claimed)
            if isinstance(made, Failed):
                return made
            script.texts[key] = made
        texts = script.texts[key]
        return tuple(with_tail(each, claimed.digit) for each in texts) if claimed.digit is not None else texts

    async def _made(self, script: _Script, claimed: Claimed) -> tuple[Text, ...] | Failed:
        if claimed.channel != "mqtt" or claimed.purpose != PURPOSE or script.message.verb == "stop":
            return self._rendered(script, claimed)
        wanted = self._wanted(script, claimed.message_no)
        return await self._recordings.texts(wanted, urgency=script.urgency)

    def _rendered(self, script: _Script, claimed: Claimed) -> tuple[Text, ...]:
        purpose = cast("Purpose", claimed.purpose)
        drill = script.message.drill
        if claimed.channel == "mqtt":
            return self._templates.speech(script.facts, purpose, drill=drill)
        if claimed.channel in _WORDLESS:
            return (Text(lang="", text=script.message.headline),)
        text = self._templates.text(
            claimed.channel,
            claimed.lang,
            message=script.facts,
            kind=purpose,
            drill=drill,
            repeated=claimed.repeated,
            asks=self._link(claimed) is not None,
        )
        return (text,)

    async def _script(self, message_no: int) -> _Script:
        if message_no not in self._scripts:
            story = await self._ledger.read(messages.story, no=message_no)
            script = await self._scripted(story)
            while len(self._scripts) >= _KEEP:
                del self._scripts[next(iter(self._scripts))]
            self._scripts[message_no] = script
            return script
        return self._scripts[message_no]

    async def _scripted(self, story: Story) -> _Script:
        if len(story.warning.document) + len(story.about or b"") <= _INLINE_BYTES:
            return script_of(story, sender_names=self._sender_names)
        return await asyncio.to_thread(script_of, story, sender_names=self._sender_names)


def script_of(story: Story, *, sender_names: Mapping[str, str]) -> _Script:
    """Make a message's script from what the ledger tells of it."""
    alert = cap.parse(story.warning.document)
    about = cap.parse(story.about) if story.about is not None else None
    known = story.about_level if story.warning.level is None else story.warning.level
    level = Level(known) if known is not None else None
    names = {
        "zh": "、".join(name for name, _ in story.places),
        "en": ", ".join(_english(*each) for each in story.places),
    }
    said = facts(
        alert,
        level=level,
        area_names=names,
        sender_names=sender_names,
        cancel=cast("Literal['lift', 'retract'] | None", story.warning.cancel_kind),
        about=about,
    )
    message = _message(story, alert, said, level=level)
    return _Script(message, facts=said, alert=alert, urgency=story.message.urgency)


def _english(name: str, names: str) -> str:
    translated: str = json.loads(names).get("en", name)
    return translated


def _brief(value: str) -> str:
    """Return a label for displays and logs, short enough that a signed command keeps its room for the speech (DESIGN §9: 16 KiB)."""
    return clip(value, limit=_BRIEF, measure=len, mark="…")


def _message(story: Story, alert: cap.Alert, said: MessageFacts, *, level: Level | None) -> Message:
    row = story.message
    plan = Plan.from_dict(json.loads(row.plan))
    first = said.wordings[0] if said.wordings else None
    return Message(
        id=row.id,
        chain_id=row.chain_id,
        seq=row.seq,
        kind=cast("Kind", row.kind),
        drill=bool(row.drill),
        status=story.warning.status,
        level=level,
        event=_brief(story.warning.event or (first.event if first else "")),
        headline=_brief(story.warning.headline or (first.event if first else "")),
        area=_brief(first.area if first else ""),
        issued_at=from_ms(story.warning.sent),
        expires_at=from_ms(row.expires_at),
        verb="stop" if row.kind == "cancel" else "play",
        repeat=plan.loudspeaker.repeat,
        every_s=plan.loudspeaker.every_s,
        volume=plan.loudspeaker.volume,
        hours=plan.loudspeaker.hours,
        document=cap.write(alert),
    )
