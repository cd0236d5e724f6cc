"""The four warning levels of Chinese practice, Ⅰ–Ⅳ级. Names only; no rule decides a level here."""

from enum import IntEnum
from typing import Self


class Level(IntEnum):
    """How grave a warning is; the smaller number is the graver, so `min` gives the highest level."""

    RED = 1
    ORANGE = 2
    YELLOW = 3
    BLUE = 4

    @property
    def word(self) -> str:
        """The level's name on every wire: "red", "orange", "yellow", "blue"."""
        return self.name.lower()

    @property
    def colour_zh(self) -> str:
        """The colour as Chinese texts write it: 红色 …."""
        return ("红色", "橙色", "黄色", "蓝色")[self - 1]

    @property
    def grade_zh(self) -> str:
        """The grade as Chinese texts write it: Ⅰ级 …."""
        return ("Ⅰ级", "Ⅱ级", "Ⅲ级", "Ⅳ级")[self - 1]

    @classmethod
    def named(cls, word: str) -> Self:
        """Return the level whose `word` this is.

        Raises:
            ValueError: `word` is none of red, orange, yellow, blue.
        """
        for level in cls:
            if level.word == word:
                return level
        raise ValueError(f"{word!r} is no level; write red, orange, yellow or blue")
