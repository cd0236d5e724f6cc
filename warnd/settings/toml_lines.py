"""Finds the line on which each key of a TOML text stands, so that an error can name it.

The standard library's parser gives values without positions. This reader runs only on texts which that parser has
accepted, and so checks nothing itself; it never yields values.
"""

import json
from collections.abc import Mapping

Path = tuple[str | int, ...]


def line_of(lines: Mapping[Path, int], path: Path) -> int | None:
    """Return the line of `path`, or of the nearest table around it that stands in the text; None if none does."""
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return None


def toml_lines(text: str) -> dict[Path, int]:
    """Map every key, list entry and table of a valid TOML text to its line, counted from 1.

    List entries and arrays of tables are addressed by their index from 0: ("plan", 0, "audience", 2, "proof").
    """
    return _Reader(text.replace("\r\n", "\n")).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counted_to, self._line = 0, 1
        self._lines: dict[Path, int] = {}
        self._tables: dict[Path, int] = {}  # Array of tables -> index of its newest entry.

    def read(self) -> dict[Path, int]:
        table: Path = ()
        while self._skip_blank():
            if self._text.startswith("[[", self._at):
                self._at += 2
                table = self._new_entry(self._keys())
                self._at += 2
            elif self._text[self._at] == "[":
                self._at += 1
                table = self._resolve(self._keys())
                self._at += 1
            else:
                self._pair(table)
        return self._lines

    def _new_entry(self, keys: Path) -> Path:
        array = (*self._resolve(keys[:-1]), keys[-1])
        self._note(array)
        self._tables[array] = self._tables.get(array, -1) + 1
        self._note((*array, self._tables[array]))
        return (*array, self._tables[array])

    def _resolve(self, keys: Path) -> Path:
        """Turn a header's keys into a path: inside an array of tables they mean its newest entry."""
        path: Path = ()
        for key in keys:
            path = (*path, key)
            self._note(path)
            if path in self._tables:
                path = (*path, self._tables[path])
        return path

    def _pair(self, table: Path) -> None:
        self._skip_blank()
        keys = self._keys()
        for end in range(1, len(keys) + 1):
            self._note((*table, *keys[:end]))
        self._at += 1  # The equals sign.
        self._value((*table, *keys))

    def _keys(self) -> Path:
        keys: list[str] = []
        while True:
            self._skip_spaces()
            keys.append(self._key())
            self._skip_spaces()
            if self._text[self._at] != ".":
                return tuple(keys)
            self._at += 1

    def _key(self) -> str:
        start = self._at
        quote = self._text[start]
        if quote in "\"'":
            self._string()
            quoted = self._text[start : self._at]
            # A basic string's escapes are JSON's but for \U, which nobody uses in a key; then it stands as written.
            return _unescape(quoted) if quote == '"' else quoted[1:-1]
        while self._text[self._at] not in " \t.=]":
            self._at += 1
        return self._text[start : self._at]

    def _value(self, path: Path) -> None:
        self._skip_spaces()
        first = self._text[self._at]
        if first == "[":
            self._list(path)
        elif first == "{":
            self._inline_table(path)
        elif first in "\"'":
            self._string()
        else:
            while self._at < len(self._text) and self._text[self._at] not in ",]}#\n":
                self._at += 1

    def _list(self, path: Path) -> None:
        self._at += 1
        index = 0
        while self._skip_blank(also=",") and self._text[self._at] != "]":
            self._note((*path, index))
            self._value((*path, index))
            index += 1
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while self._skip_blank(also=",") and self._text[self._at] != "}":
            self._pair(path)
        self._at += 1

    def _string(self) -> None:
        quote = self._text[self._at]
        mark = quote * 3 if self._text.startswith(quote * 3, self._at) else quote
        self._at += len(mark)
        while not self._text.startswith(mark, self._at):
            self._at += 2 if quote == '"' and self._text[self._at] == "\\" else 1
        self._at += len(mark)
        if len(mark) > 1:  # A multi-line string may end in up to two quotes of its own.
            while self._text.startswith(quote, self._at):
                self._at += 1

    def _skip_spaces(self) -> None:
        while self._at < len(self._text) and self._text[self._at] in " \t":
            self._at += 1

    def _skip_blank(self, also: str = "") -> bool:
        """Go to the next thing that is neither space, line end, comment nor in `also`; False at the end of the text."""
        while self._at < len(self._text):
            if self._text[self._at] == "#":
                end = self._text.find("\n", self._at)
                self._at = end if end >= 0 else len(self._text)
            elif self._text[self._at] in " \t\n" + also:
                self._at += 1
            else:
                return True
        return False

    def _note(self, path: Path) -> None:
        self._lines.setdefault(path, self._line_here())

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted_to, self._at)
        self._counted_to = self._at
        return self._line


def _unescape(quoted: str) -> str:
    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted[1:-1]
