"""CAP documents for the simulated county, made by the product's own writer from values that a test changes."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.simulation.county import COUNTY
from tests.simulation.virtual import START
from warnd.model import cap
from warnd.model.cap import Alert, Area, Info, Reference

Points = tuple[tuple[float, float], ...]
SENDER = "flood@qinghe.example"


def flood(
    *,
    level: str = "red",
    codes: tuple[str, ...] = (COUNTY,),
    sent: datetime = START,
    life: timedelta = timedelta(hours=6),
    polygons: tuple[Points, ...] = (),
    **changed: Any,
) -> Alert:
    """Return a flood warning in Chinese and English for the given regions and polygons (latitude, longitude)."""
    area = Area(description="清河县", geocodes=tuple(("region_code", code) for code in codes), polygons=polygons)
    common: dict[str, Any] = {
        "category": ("Met",),
        "urgency": "Immediate",
        "severity": "Extreme",
        "certainty": "Observed",
        "expires": sent + life,
        "parameters": (("warnd:level", level),),
        "areas": (area,),
    }
    zh = Info(
        language="zh-CN",
        event="洪水",
        sender_name="清河县防汛办",
        headline="洪水预警",
        description="洪峰将至。",
        instruction="请立即转移到高处。",
        **common,
    )
    en = Info(
        language="en-US",
        event="Flood",
        sender_name="Qinghe Flood Office",
        headline="Flood warning",
        description="The crest is near.",
        instruction="Move to high ground now.",
        **common,
    )
    alert = Alert(
        identifier="QH-1",
        sender=SENDER,
        sent=sent,
        status="Actual",
        msg_type="Alert",
        scope="Public",
        infos=(zh, en),
    )
    return replace(alert, **changed)


def cancel_of(alert: Alert, **changed: Any) -> Alert:
    """Return a bare Cancel of an alert."""
    bare = Alert(
        identifier=f"{alert.identifier}-C",
        sender=alert.sender,
        sent=alert.sent + timedelta(minutes=5),
        status=alert.status,
        msg_type="Cancel",
        scope=alert.scope,
        references=(Reference(sender=alert.sender, identifier=alert.identifier, sent=alert.sent),),
    )
    return replace(bare, **changed)


def document(alert: Alert) -> bytes:
    """Return the CAP 1.2 document."""
    return cap.write(alert)
