"""Makes the shipped flood warning one of this minute: a fresh identifier, and every time moved by the same span."""

from dataclasses import replace
from datetime import datetime, timedelta

from warnd.model import cap


def freshen(document: bytes, now: datetime) -> bytes:
    """Return the CAP document as if it had been sent at `now` (aware UTC, cut to the second as CAP writes it)."""
    alert = cap.parse(document)
    sent = now.replace(microsecond=0)
    later = sent - alert.sent
    infos = tuple(_moved(info, later) for info in alert.infos)
    identifier = f"{alert.identifier}-{sent:%Y%m%d%H%M%S}"
    return cap.write(replace(alert, identifier=identifier, sent=sent, infos=infos))


def _moved(info: cap.Info, later: timedelta) -> cap.Info:
    def moved(at: datetime | None) -> datetime | None:
        return None if at is None else at + later

    return replace(info, effective=moved(info.effective), onset=moved(info.onset), expires=moved(info.expires))
