"""Simulated phones behind a spool folder: they report parts, answer, stay silent or are switched off, as people's phones do.

It stands where a gateway bridge would stand (docs/channels/sms.md): it reads `out/`, never removes anything there, and puts whole files
into `in/`. It knows nothing of the daemon.
"""

import heapq
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from warnd.clock import Clock

Span = tuple[float, float]
"""Seconds, least and most; what happens lies between them."""

_POLL_S = 0.1
_ASKED = re.compile(r"(?:回复([1-9])确认|Reply ([1-9]) to confirm)$")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one phone and its owner behave.

    Attributes:
        on: False = switched off: what the network reports is a failure, and nobody answers.
        reports: False = the network never reports anything for this phone.
        answers: Whether the owner answers a text that asks for it; each message once.
        bare: Answers 收到 instead of the digit.
        twice: Share of reports that come a second time, 0 to 1.
        shuffled: The parts of one text report in any order.
    """

    on: bool = True
    reports: bool = True
    answers: bool = True
    bare: bool = False
    twice: float = 0.0
    shuffled: bool = True
    report_after_s: Span = (0.2, 2.0)
    answer_after_s: Span = (1.0, 6.0)


SILENT = Behaviour(answers=False)
OFF = Behaviour(on=False)


class Handsets:
    """The phones of everybody, behind one spool.

    Args:
        spool: The folder that the daemon writes to; need not exist yet.
        random: Draws one seed; what a phone does depends on it, its number and how many texts it got, not on who polls when.
        behaviours: Phone number as in `to` -> behaviour; `otherwise` for all others.
    """

    def __init__(
        self,
        spool: Path,
        *,
        clock: Clock,
        random: Random,
        behaviours: Mapping[str, Behaviour],
        otherwise: Behaviour = SILENT,
    ) -> None:
        self._out, self._in = spool / "out", spool / "in"
        self._clock = clock
        self._seed = random.getrandbits(64)
        self._behaviours = behaviours
        self._otherwise = otherwise
        self._seen: set[str] = set()
        self._texts: dict[str, int] = {}
        self._answered: set[tuple[str, str]] = set()
        self._due: list[tuple[float, str, dict[str, Any]]] = []

    async def run(self) -> None:
        """Behave until cancelled."""
        while True:
            self.step()
            await self._clock.sleep(_POLL_S)

    def step(self) -> None:
        """Read what is new in `out/` and write what is due into `in/`."""
        for name in sorted(self._new()):
            self._seen.add(name)
            self._receive(json.loads((self._out / name).read_text("utf-8")), self._clock.monotonic())
        while self._due and self._due[0][0] <= self._clock.monotonic():
            _, name, document = heapq.heappop(self._due)
            self._write(name, document | {"at": self._clock.now().isoformat(timespec="milliseconds")})

    def _new(self) -> Iterator[str]:
        if self._out.is_dir():
            names = (path.name for path in self._out.iterdir() if path.suffix == ".json" and path.name[0] != ".")
            yield from (name for name in names if name not in self._seen)

    def _receive(self, text: dict[str, Any], now: float) -> None:
        phone, attempt = text["to"], text["attempt"]
        number = self._texts[phone] = self._texts.get(phone, 0) + 1
        random = Random(f"{self._seed}/{phone}/{number}")  # noqa: S311 - plays a phone, protects nothing
        behaviour = self._behaviours.get(phone, self._otherwise)
        if behaviour.reports:
            for after_s, name, document in _reports(text, behaviour, random):
                heapq.heappush(self._due, (now + after_s, name, document))
        asked = _ASKED.search(text["text"])
        message = (phone, text["message_id"])
        if asked and behaviour.on and behaviour.answers and message not in self._answered:
            self._answered.add(message)
            answer = "收到" if behaviour.bare else asked[1] or asked[2]
            due = now + random.uniform(*behaviour.answer_after_s)
            heapq.heappush(self._due, (due, f"{attempt}-answer", {"from": phone, "text": answer}))

    def _write(self, name: str, document: dict[str, Any]) -> None:
        written = self._in / f".{name}.tmp"
        written.write_text(json.dumps(document, ensure_ascii=False), "utf-8")
        written.rename(self._in / f"{name}.json")


def _reports(text: dict[str, Any], behaviour: Behaviour, random: Random) -> Iterator[tuple[float, str, dict[str, Any]]]:
    """Yield (seconds from now, file name, document) for every report on one text."""
    parts = text["segments"]
    delays = sorted(random.uniform(*behaviour.report_after_s) for _ in range(parts))
    if behaviour.shuffled:
        random.shuffle(delays)
    for part, after_s in enumerate(delays, start=1):
        status = "delivered" if behaviour.on else "failed"
        document = {"attempt": text["attempt"], "status": status, "part": part, "parts": parts}
        for copy in range(1, 3 if random.random() < behaviour.twice else 2):
            yield after_s * copy, f"{text['attempt']}-{part}-{copy}", document
