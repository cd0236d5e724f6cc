"""The pronunciation lexicon: how names are said that a voice would misread. Changes what is spoken, never what is written.

It belongs to the voice of the daemon: a terminal's own voice is another one, which would read "lu4 an1" aloud by its letters, so
commands carry the text as it is written.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from warnd.model.cap.language import primary_language
from warnd.render.marks import marks
from warnd.settings import Problem, SettingsError
from warnd.settings.document import Document, read_toml

_LONGEST = 100  # Characters of a name.
_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


class Lexicon:
    """Spoken forms by language.

    Args:
        spoken: Primary language -> written form -> spoken form.
    """

    def __init__(self, spoken: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._spoken = {lang: dict(forms) for lang, forms in (spoken or {}).items() if forms}
        self._find = {lang: _pattern(forms) for lang, forms in self._spoken.items()}

    def __len__(self) -> int:
        """Return how many names it has."""
        return sum(map(len, self._spoken.values()))

    def say(self, text: str, *, lang: str) -> str:
        """Return the text as the voice shall read it: of names that overlap, the longest counts."""
        forms = self._spoken.get(lang)
        return self._find[lang].sub(lambda found: forms[found[0]], text) if forms else text


def read_lexicon(path: Path) -> Lexicon:
    """Read `[lang]` tables of `"written" = "spoken"`.

    Raises:
        SettingsError: With every problem found.
    """
    document = read_toml(path)
    problems = list(_problems(document))
    if problems:
        raise SettingsError(problems)
    return Lexicon({primary_language(lang): forms for lang, forms in document.values.items()})


def _problems(document: Document) -> Iterator[Problem]:
    for lang, forms in document.values.items():
        if not _TAG.fullmatch(lang) or not isinstance(forms, dict):
            yield document.problem(
                (lang,), "It is no table of a language.", 'Write [zh], and names under it: "六安" = "录安".'
            )
            continue
        for written, spoken in forms.items():
            if cause := _wrong(written, spoken, lang=primary_language(lang)):
                yield document.problem((lang, written), *cause)


def _wrong(written: str, spoken: object, *, lang: str) -> tuple[str, str] | None:
    if not isinstance(spoken, str) or not spoken.strip() or not written.strip():
        return "A name and its spoken form are words in quotes.", 'Write it like "六安" = "录安".'
    if max(len(written), len(spoken)) > _LONGEST:
        return f"It is longer than {_LONGEST} characters.", "Name the place alone, not the sentence."
    mark = marks(lang)
    if any(
        Lexicon({lang: {written: spoken}}).say(said, lang=lang) != said
        for said in (mark.drill_aloud, mark.drill_aloud_end)
    ):
        return "It would change the words by which a drill is known.", "Take it out, or write a longer name."
    return None


def _pattern(forms: Mapping[str, str]) -> re.Pattern[str]:
    longest_first = sorted(forms, key=len, reverse=True)
    return re.compile("|".join(_whole_word(name) for name in longest_first))


def _whole_word(name: str) -> str:
    """Return a pattern that does not find "Reading" in "Readings"; Chinese knows no such borders."""
    before = r"(?<![A-Za-z])" if re.match(r"[A-Za-z]", name) else ""
    after = r"(?![A-Za-z])" if re.search(r"[A-Za-z]\Z", name) else ""
    return f"{before}{re.escape(name)}{after}"
