"""What is said: from a claimed try to the prepared texts that a channel carries. Rendered once per message, audience and language."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast
from zoneinfo import ZoneInfo

from warnd.channel import Failed, Kind, Message, Outgoing, Text
from warnd.clock import Clock
from warnd.ledger import messages
from warnd.ledger.claims import Claimed
from warnd.ledger.messages import Story
from warnd.ledger.node import attempt_id
from warnd.ledger.store import Ledger
from warnd.ledger.values import from_ms
from warnd.model import cap
from warnd.model.hours import quiet_for_s
from warnd.model.level import Level
from warnd.model.plan import Plan
from warnd.render import MessageFacts, Purpose, Templates, clip, facts, with_tail

_START_WITHIN_S = 1.5  # After a claim; keeps every network call within the two seconds that a cancel allows.
_BRIEF = 200  # Characters.
_KEEP = 64  # Messages whose texts are kept ready.
_WORDLESS = frozenset({"web", "webhook"})  # Channels that say a message in a form of their own.


@dataclass(slots=True)
class _Script:
    """One message, ready to be said; texts are added as they are asked for."""

    message: Message
    facts: MessageFacts
    texts: dict[tuple[str, str, str, bool], tuple[Text, ...]] = field(default_factory=dict)


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
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._templates = templates
        self._timezone = timezone
        self._tag = tag
        self._sender_names = sender_names
        self._scripts: dict[int, _Script] = {}

    async def outgoing(self, claimed: Claimed, *, claimed_at: float) -> Outgoing | Failed:
        """Return what to send for a claim, or why it must not be sent now.

        `claimed_at` is the moment of the claim's commit on the clock's monotonic scale: a Cancel may have come right after it.
        """
        script = await self._script(claimed.message_no)
        quiet_s = self._quiet_s(script.message, claimed)
        if quiet_s > 0:
            return Failed("loudspeakers are silent at this hour", retry="throttled", retry_after_s=quiet_s)
        return Outgoing(
            attempt=attempt_id(self._tag, claimed.leg_no, claimed.number),
            message=script.message,
            recipient=claimed.recipient,
            address=claimed.address,
            texts=self._texts(script, claimed),
            regions=None if claimed.regions is None else tuple(json.loads(claimed.regions)),
            repeated=claimed.repeated,
            start_by=claimed_at + _START_WITHIN_S,
        )

    def _quiet_s(self, message: Message, claimed: Claimed) -> float:
        if claimed.channel != "mqtt" or message.verb == "stop":
            return 0.0
        return quiet_for_s(message.hours, now=self._clock.now(), timezone=self._timezone)

    def _texts(self, script: _Script, claimed: Claimed) -> tuple[Text, ...]:
        key = (claimed.channel, claimed.lang, claimed.purpose, claimed.repeated)
        if key not in script.texts:
            script.texts[key] = self._rendered(script, claimed)
        texts = script.texts[key]
        return tuple(with_tail(each, claimed.digit) for each in texts) if claimed.digit is not None else texts

    def _rendered(self, script: _Script, claimed: Claimed) -> tuple[Text, ...]:
        purpose = cast("Purpose", claimed.purpose)
        drill = script.message.drill
        if claimed.channel == "mqtt":
            return self._templates.speech(script.facts, purpose, drill=drill)
        if claimed.channel in _WORDLESS:
            return (Text(lang="", text=script.message.headline),)
        text = self._templates.text(
            claimed.channel, claimed.lang, message=script.facts, kind=purpose, drill=drill, repeated=claimed.repeated
        )
        return (text,)

    async def _script(self, message_no: int) -> _Script:
        if message_no not in self._scripts:
            story = await self._ledger.read(messages.story, no=message_no)
            while len(self._scripts) >= _KEEP:
                del self._scripts[next(iter(self._scripts))]
            self._scripts[message_no] = script_of(story, sender_names=self._sender_names)
        return self._scripts[message_no]


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
    return _Script(message=_message(story, alert, said, level=level), facts=said)


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
