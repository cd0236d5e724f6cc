"""How grave an alert is, by what its sender states and by the map of the settings; never by a guess."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

from warnd.model.cap.alert import Alert, Info
from warnd.model.level import Level

LEVEL_PARAMETER = "warnd:level"
CANCEL_PARAMETER = "warnd:cancel"
ANY_SENDER = "*"

_WORDS = {
    Level.RED: ("red", "红", "红色", "i", "一", "1", "特别重大", "特别严重"),
    Level.ORANGE: ("orange", "橙", "橙色", "ii", "二", "2", "重大", "严重"),
    Level.YELLOW: ("yellow", "黄", "黄色", "iii", "三", "3", "较大", "较重"),
    Level.BLUE: ("blue", "蓝", "蓝色", "iv", "四", "4", "一般"),
}
"""What the values of `level_names` may say. The Chinese grades are those of national emergency practice; 1 to 4 are the
emergency broadcast's (its 0 is unknown, and so no level)."""

_LEVEL_OF_WORD = {word: level for level, words in _WORDS.items() for word in words}
_ENDINGS = ("预警信号", "预警", "信号", "级", "級", "alert", "warning")


@dataclass(frozen=True, slots=True)
class LevelRules:
    """The `[intake]` part of the settings that decides levels (DESIGN §13, CAP).

    Attributes:
        names: Parameter or eventCode names that carry a level, the first found wins.
        severities: Sender, or "*" for any other, to a map from CAP severity to level. A sender's own map stands alone.
    """

    names: tuple[str, ...] = ()
    severities: Mapping[str, Mapping[str, Level]] = field(default_factory=dict)

    @classmethod
    def from_words(cls, names: Iterable[str], severities: Mapping[str, Mapping[str, str]]) -> Self:
        """Return the rules as the settings write them, with levels as words.

        Raises:
            ValueError: A word is no level.
        """
        by_sender = {
            sender: {severity: Level.named(word) for severity, word in table.items()}
            for sender, table in severities.items()
        }
        return cls(tuple(names), by_sender)


def level_of(info: Info, sender: str, rules: LevelRules) -> Level | None:
    """Return the level of one info, or None if none can be told.

    A parameter `warnd:level` wins, then the names of `rules.names`, then the severity. What states a level states it
    alone: if it is unreadable or contradicts itself there is no level, since the severity might lower it unseen.
    """
    stated = [value for name, value in info.parameters if name == LEVEL_PARAMETER]
    if stated:
        return _agreed(_colour_word(value) for value in stated)
    for name in rules.names:
        stated = [value for known, value in (*info.parameters, *info.event_codes) if known == name]
        if stated:
            return _agreed(map(_vocabulary, stated))
    table = rules.severities.get(sender, rules.severities.get(ANY_SENDER, {}))
    return table.get(info.severity)


def alert_level(alert: Alert, rules: LevelRules) -> Level | None:
    """Return the highest level of its infos, or None if none of them has one."""
    known = [level for info in alert.infos if (level := level_of(info, alert.sender, rules)) is not None]
    return min(known, default=None)


def cancel_kind(alert: Alert) -> Literal["lift", "retract"] | None:
    """Return what the Cancel says it is by `warnd:cancel`; None if it does not say, or says two things."""
    stated = {value.lower() for value in cancel_words(alert)}
    if stated == {"lift"}:
        return "lift"
    return "retract" if stated == {"retract"} else None


def cancel_words(alert: Alert) -> tuple[str, ...]:
    """Return the values of all its `warnd:cancel` parameters, as written."""
    return tuple(value for info in alert.infos for name, value in info.parameters if name == CANCEL_PARAMETER)


def _agreed(levels: Iterable[Level | None]) -> Level | None:
    distinct = set(levels)
    return distinct.pop() if len(distinct) == 1 else None


def _colour_word(value: str) -> Level | None:
    try:
        return Level.named(value.strip().lower())
    except ValueError:
        return None


def _vocabulary(value: str) -> Level | None:
    # NFKC makes Ⅰ the letter I and １ the digit 1.
    word = unicodedata.normalize("NFKC", value).casefold().strip()
    for ending in _ENDINGS:
        word = word.removesuffix(ending).strip()
    return _LEVEL_OF_WORD.get(word)
