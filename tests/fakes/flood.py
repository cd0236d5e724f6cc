"""A flood warning in Chinese and English, as a county would send it, to be changed by tests."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from warnd.model.cap import Alert, Area, Info
from warnd.model.level import Level
from warnd.render import MessageFacts, Templates, facts
from warnd.resources import shipped

SENT = datetime(2026, 7, 3, 7, 30, tzinfo=UTC)  # 15:30 in China.
EXPIRES = datetime(2026, 7, 3, 13, 0, tzinfo=UTC)


def info(**elements: Any) -> Info:
    """Return an info with whatever is not given filled in."""
    usual: dict[str, Any] = {
        "category": ("Met",),
        "urgency": "Immediate",
        "severity": "Extreme",
        "certainty": "Observed",
        "onset": SENT,
        "expires": EXPIRES,
    }
    return Info(**(usual | elements))


ZH = info(
    language="zh-CN",
    event="洪水",
    sender_name="清河县防汛办",
    description="清河上游水位已超警戒1.5米。预计今晚20:00洪峰到达。",
    instruction="沿河群众立即转移到高处。不要涉水过河。遇险请拨打119。",
    areas=(Area(description="柳河镇、石桥镇"),),
)
EN = info(
    language="en-US",
    event="Flood",
    sender_name="Qinghe Flood Office",
    description="The river is 1.5 m above its mark. The crest is expected at 20:00.",
    instruction="Move to high ground now. Do not cross flooded roads. In danger call 119.",
    areas=(Area(description="Liuhe and Shiqiao"),),
)
ALERT = Alert(
    identifier="QH-1",
    sender="flood@qinghe.example",
    sent=SENT,
    status="Actual",
    msg_type="Alert",
    scope="Public",
    infos=(ZH, EN),
)
CANCEL = replace(ALERT, identifier="QH-2", msg_type="Cancel", sent=datetime(2026, 7, 3, 9, 30, tzinfo=UTC), infos=())


def said(alert: Alert = ALERT, **given: Any) -> MessageFacts:
    """Return the facts of an alert, red unless told otherwise."""
    return facts(alert, **({"level": Level.RED} | given))


def flood(*infos: Info) -> MessageFacts:
    """Return the facts of the alert with other infos."""
    return said(replace(ALERT, infos=infos))


def templates(
    folder: Path | None = None, *, signature: str = "清河预警", languages: tuple[str, ...] = ("zh", "en")
) -> Templates:
    """Return the shipped templates, or those in `folder`, for a node in China."""
    zone = ZoneInfo("Asia/Shanghai")
    return Templates(folder or shipped("templates"), timezone=zone, languages=languages, signature=signature)
