"""Makes the CAP Cancel that an operator asks for: drafted from what it cancels, so that taking a mistake back takes seconds."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from warnd.model.cap import Alert, Info, Reference

_PARAMETER = "warnd:cancel"


def cancel_of(
    chain: Sequence[Alert], *, kind: Literal["lift", "retract"] | None, reason: str, identifier: str, now: datetime
) -> Alert:
    """Return a Cancel of every message of a chain, in the words of its newest version; `kind` None = neutral words.

    The instruction of the warning is left out: what people should do now is not what they should have done then.
    """
    newest = chain[-1]
    return Alert(
        identifier=identifier,
        sender=chain[0].sender,
        sent=now.replace(microsecond=0),
        status=newest.status,
        msg_type="Cancel",
        scope=newest.scope,
        restriction=newest.restriction,
        addresses=newest.addresses,
        references=tuple(Reference(sender=one.sender, identifier=one.identifier, sent=one.sent) for one in chain),
        infos=tuple(_info(info, kind=kind, reason=reason) for info in newest.infos),
    )


def _info(info: Info, *, kind: str | None, reason: str) -> Info:
    return replace(
        info,
        headline=None,
        description=reason,
        instruction=None,
        response_types=("AllClear",) if kind == "lift" else ("None",),
        effective=None,
        onset=None,
        parameters=() if kind is None else ((_PARAMETER, kind),),
        resources=(),
    )
