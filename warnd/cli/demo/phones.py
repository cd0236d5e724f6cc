"""Gives every phone and mailbox of the invented county its behaviour: officers by their part, the others by chance."""

from random import Random

from warnd.cli.demo.cast import Cast, Officer
from warnd.cli.demo.handsets import OFF, SILENT, Behaviour, Handsets
from warnd.cli.demo.mailboxes import Mailboxes
from warnd.cli.demo.people import Recipient
from warnd.cli.demo.stage import Stage
from warnd.clock import Clock

_SEED = 11
_OFF_SHARE = 0.03  # Of the phones whose owners decide nothing about a village.
_ANSWERS = Behaviour(twice=0.1, answer_after_s=(2.0, 18.0))
_SAYS_SO = Behaviour(bare=True, answer_after_s=(2.0, 18.0))  # Writes 收到 instead of the digit.
_BY_PART = {Officer.ANSWERS: _ANSWERS, Officer.SILENT: SILENT, Officer.OFF: OFF}


def behaviours(people: list[Recipient], cast: Cast, *, random: Random) -> dict[str, Behaviour]:
    """Return phone number -> behaviour for everybody who has one."""
    return {person.phone: _behaviour(person, cast, random) for person in people if person.phone}


def _behaviour(person: Recipient, cast: Cast, random: Random) -> Behaviour:
    if person.roles == "information_officer":
        if person.email:  # Answers by the link in the mail, if that comes; the phone only reports.
            return SILENT
        answers = _BY_PART[cast.parts[person.region].officer]
        return _SAYS_SO if answers is _ANSWERS and random.random() < 0.2 else answers  # noqa: PLR2004 - one in five
    if random.random() < _OFF_SHARE:
        return OFF
    return SILENT if person.kind == "household" else _ANSWERS


def handsets(stage: Stage, *, clock: Clock) -> Handsets:
    """Return the county's phones behind the daemon's spool."""
    random = Random(_SEED)  # noqa: S311 - plays people, protects nothing
    known = behaviours(stage.people, stage.cast, random=random)
    return Handsets(stage.spool, clock=clock, random=random, behaviours=known)


def mailboxes(stage: Stage, *, clock: Clock) -> Mailboxes:
    """Return the county's mailboxes, whose owners all answer: only those who read mail have one."""
    random = Random(_SEED)  # noqa: S311 - plays people, protects nothing
    return Mailboxes([person.email for person in stage.people if person.email], clock=clock, random=random)
