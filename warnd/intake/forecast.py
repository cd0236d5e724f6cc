"""The preview: what a release would do, in numbers and words, before anybody is woken."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, Row

from warnd.channel import Text
from warnd.clock import Clock
from warnd.intake.reading import Reading
from warnd.intake.targeting import Targets
from warnd.ledger import directory, forecasts
from warnd.ledger.forecasts import Reach
from warnd.ledger.store import Ledger
from warnd.ledger.values import from_ms, to_ms
from warnd.model.cap import Alert, primary_language
from warnd.model.level import Level
from warnd.model.mask import masked
from warnd.model.plan import Audience, Plan
from warnd.model.preview import LonelyVillage, Preview, PreviewText, Unwilling, Villages
from warnd.render import MessageFacts, Templates, facts

_LISTED = 200  # Codes and villages named; the counts are always whole.
_DIGIT = 1  # What a responsible person's text is measured with.


class Recorded(Protocol):
    """Whoever knows which languages people have recorded."""

    @property
    def also(self) -> Sequence[str]:
        """Return the languages that no template here speaks and that people shall record."""
        ...

    def supplied(self, alert: Alert, *, level: Level | None, drill: bool) -> Mapping[str, str]:
        """Return language -> what is said, for every language in which a person's recording would be played."""
        ...


class Forecaster:
    """Says what would happen. `recorded` None = no recordings are played."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        *,
        templates: Templates,
        languages: tuple[str, ...],
        sender_names: Mapping[str, str],
        recorded: Recorded | None = None,
    ) -> None:
        self._recorded = recorded
        self._ledger = ledger
        self._clock = clock
        self._templates = templates
        self._languages = tuple(primary_language(lang) for lang in languages)
        self._sender_names = sender_names

    async def forecast(self, reading: Reading) -> Preview:
        """Return the preview of a document that was read."""
        roles = {role for audience in _seat_audiences(reading.plan) for role in audience.roles}
        reached = await self._ledger.read(
            _reach,
            targets=reading.targets,
            roles=sorted(roles),
            rev=reading.directory_rev,
            now_ms=to_ms(self._clock.now()),
        )
        said = facts(reading.alert, level=reading.level, sender_names=self._sender_names)
        public = reading.alert.scope == "Public" and reading.alert.status == "Actual"
        recorded = await self._by_people(reading)
        texts = self._texts(said, drill=reading.drill)
        rendered = {text.lang for _, _, text in texts}
        texts += [("mqtt", "", Text(lang, text)) for lang, text in recorded.items() if lang not in rendered]
        people = _people(reached.seats, reading.plan)
        unwilling = await self._ledger.read(
            forecasts.unwilling, recipients=_asked_for_silence(reached.seats, people), rev=reading.directory_rev
        )
        households = reached.households if public and _has_public(reading.plan) else {}
        return Preview(
            level=None if reading.level is None else reading.level.word,  # type: ignore[arg-type]  # Level.word is one of the four.
            villages=Villages(reached.villages, reached.village_codes),
            people={role: len(nos) for role, nos in sorted(people.items())},
            terminals=reached.terminals,
            households=sum(households.values()),
            villages_without_live_path=tuple(_lonely(row) for row in reached.lonely),
            outside=tuple(root.code for root in reading.targets.roots if root.outside),
            missing_languages=self._missing(said, recorded),
            texts=tuple(PreviewText(channel, each.lang, each.text, each.segments) for channel, _, each in texts),
            segments_total=_segments(texts, reached.seats, people, households, fallback=self._languages[0]),
            reasons=reading.reasons,
            unknown_geocodes=reading.targets.unknown_geocodes,
            only_by_geocode=reading.targets.only_by_geocode[:_LISTED],
            only_by_polygon=reading.targets.only_by_polygon[:_LISTED],
            opted_out=tuple(
                Unwilling(row.id, row.channel, masked(row.address), from_ms(row.since)) for row in unwilling
            ),
        )

    def _missing(self, said: MessageFacts, recorded: Collection[str]) -> tuple[str, ...]:
        written = [lang for lang in self._languages if said.wording(lang) is not None]
        also = () if self._recorded is None else self._recorded.also
        wanted = dict.fromkeys((*self._languages, *also))
        return tuple(lang for lang in wanted if lang not in written and lang not in recorded)

    async def _by_people(self, reading: Reading) -> Mapping[str, str]:
        """Return what people's recordings say; in a thread, because the sound is looked at."""
        if self._recorded is None:
            return {}
        return await asyncio.to_thread(self._recorded.supplied, reading.alert, level=reading.level, drill=reading.drill)

    def _texts(self, said: MessageFacts, *, drill: bool) -> list[tuple[str, str, Text]]:
        """Return (channel, "seat" or "public" or "", text) for each language that the warning speaks."""
        if not said.wordings or said.issued_at is None or said.ends_at is None:
            return []
        made: list[tuple[str, str, Text]] = []
        for lang in self._templates.languages(said):
            for audience, digit in (("seat", _DIGIT), ("public", None)):
                text = self._templates.text("sms", lang, message=said, kind="warning", drill=drill, reply_digit=digit)
                made.append(("sms", audience, text))
        made += [("mqtt", "", text) for text in self._templates.speech(said, "warning", drill=drill)]
        return made


def _reach(conn: Connection, *, targets: Targets, roles: list[str], rev: int, now_ms: int) -> Reach:
    inside = [root.code for root in targets.roots if not root.outside]
    paths = list(directory.paths(conn, codes=inside).values())
    return forecasts.reach(conn, roots=paths, roles=roles, rev=rev, listed=_LISTED, now_ms=now_ms)


def _seat_audiences(plan: Plan | None) -> Iterable[Audience]:
    return (audience for audience in (plan.audiences if plan else ()) if audience.kind == "seats")


def _has_public(plan: Plan | None) -> bool:
    return plan is not None and any(audience.kind == "public" for audience in plan.audiences)


def _people(seats: Iterable[Row[Any]], plan: Plan | None) -> dict[str, set[int]]:
    """Return role -> recipients, where the plan reaches that role at that tier."""
    told: dict[str, set[int]] = {}
    audiences = list(_seat_audiences(plan))
    for row in seats:
        if any(row.role in each.roles and (each.where != ("village",) or row.tier == "village") for each in audiences):
            told.setdefault(row.role, set()).add(row.recipient_no)
    return told


def _asked_for_silence(seats: Iterable[Row[Any]], people: Mapping[str, set[int]]) -> list[int]:
    """Return those who would be told although they asked for no more, the first few."""
    told = set().union(*people.values())
    return sorted({row.recipient_no for row in seats if row.opted_out is not None and row.recipient_no in told})[
        :_LISTED
    ]


def _lonely(row: Row[Any]) -> LonelyVillage:
    if not row.terminals:
        reason = "no_terminal"
    elif not row.live:
        reason = "offline"
    else:
        reason = "no_officer"
    return LonelyVillage(row.code, row.name, reason)


def _segments(
    texts: list[tuple[str, str, Text]],
    seats: Iterable[Row[Any]],
    people: dict[str, set[int]],
    households: dict[str, int],
    *,
    fallback: str,
) -> int:
    """Return the SMS segments that everybody's first text costs together."""
    cost = {(audience, each.lang): each.segments for channel, audience, each in texts if channel == "sms"}

    def of(audience: str, lang: str) -> int:
        wanted = primary_language(lang) if lang else fallback
        known = [lang for which, lang in cost if which == audience]
        return cost[audience, wanted if wanted in known else known[0]] if known else 0

    told = set().union(*people.values()) if people else set()
    phones = {row.recipient_no: row.lang for row in seats if row.phone and row.recipient_no in told}
    return sum(of("seat", lang) for lang in phones.values()) + sum(
        of("public", lang) * n for lang, n in households.items()
    )
