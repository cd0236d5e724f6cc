"""What is in force as JSON, for programs on other sites: every text in every language, areas with their shapes."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from warnd.ledger.views import Place
from warnd.model.cap import Alert, Area, Info, primary_language
from warnd.web.site import Picture, Shown
from warnd.web.wording import plain, web_address

_WARNING_MOST = 64 * 1024  # Bytes of one warning, above which its shapes are left to the CAP document.
_TEXT_MOST = 4_000  # Characters of one text.
_TEXTS_MOST = 12  # Languages.
_AREAS_MOST = 500
_AREAS_FEW = 50


def json_feed(picture: Picture, *, place: Place | None, public_url: str) -> bytes:
    """Return the document; `docs/api.md` says what its members mean. Longitude comes first in shapes, as in GeoJSON."""
    document = {
        "version": picture.version,
        "changed_at": _time(picture.changed_at),
        "place": None if place is None else _place(place, public_url),
        "warnings": [_bounded(each, public_url) for each in picture.warnings],
        "cancels": [_cancel(each, public_url) for each in picture.cancels],
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _place(place: Place, public_url: str) -> dict[str, Any] | None:
    region = place.region
    if region is None:
        return None
    return {
        "code": region.code,
        "name": region.name,
        "names": dict(region.names),
        "tier": region.tier,
        "lies_in": [each.code for each in place.above],
        "served": place.served,
        "url": f"{public_url}/p/{region.code}",
    }


def _bounded(shown: Shown, public_url: str) -> dict[str, Any]:
    whole = _warning(shown, public_url, areas=_AREAS_MOST, shapes=True)
    if len(json.dumps(whole, ensure_ascii=False).encode()) <= _WARNING_MOST:
        return whole
    return _warning(shown, public_url, areas=_AREAS_FEW, shapes=False)


def _warning(shown: Shown, public_url: str, *, areas: int, shapes: bool) -> dict[str, Any]:
    warning, alert = shown.warning, shown.alert
    named = _areas(alert)
    first = next(iter(alert.infos), None)
    return {
        **_common(shown, public_url),
        "level": None if warning.level is None else warning.level.word,
        "event": plain(first.event if first else "", _TEXT_MOST),
        "headline": plain(first.headline if first else "", _TEXT_MOST),
        "onset": _maybe(min((info.onset for info in alert.infos if info.onset is not None), default=None)),
        "expires": _maybe(warning.expires),
        "languages": list(alert.languages()),
        "texts": [_text(info) for info in _one_per_language(alert)],
        "areas": [_area(area, shapes=shapes) for area in named[:areas]],
        "areas_complete": shapes and len(named) <= areas,
    }


def _cancel(shown: Shown, public_url: str) -> dict[str, Any]:
    return {**_common(shown, public_url), "kind": shown.warning.cancel_kind, "cancels": shown.warning.replaces}


def _common(shown: Shown, public_url: str) -> dict[str, Any]:
    warning, alert = shown.warning, shown.alert
    return {
        "id": warning.id,
        "chain_id": warning.chain_id,
        "sender": plain(alert.sender, _TEXT_MOST),
        "identifier": plain(alert.identifier, _TEXT_MOST),
        "msg_type": alert.msg_type,
        "sent": _time(warning.sent),
        "released_at": _time(warning.released_at),
        "links": {"html": f"{public_url}/w/{warning.id}", "cap": f"{public_url}/feed/{warning.id}.xml"},
    }


def _one_per_language(alert: Alert) -> Iterable[Info]:
    return list({info.language: info for info in reversed(alert.infos)}.values())[::-1][:_TEXTS_MOST]


def _text(info: Info) -> dict[str, Any]:
    return {
        "lang": primary_language(info.language) if info.language else None,
        "event": plain(info.event, _TEXT_MOST),
        "headline": plain(info.headline, _TEXT_MOST),
        "instruction": plain(info.instruction, _TEXT_MOST),
        "description": plain(info.description, _TEXT_MOST),
        "sender_name": plain(info.sender_name, _TEXT_MOST),
        "contact": plain(info.contact, _TEXT_MOST),
        "web": web_address(info.web) or None,
        "areas": [plain(area.description, _TEXT_MOST) for area in info.areas[:_AREAS_FEW]],
    }


def _areas(alert: Alert) -> list[Area]:
    """Return the areas of all infos; those that differ only in the language of their name count once."""
    seen = {
        (area.polygons, area.circles, area.geocodes or area.description): area
        for info in alert.infos[::-1]
        for area in info.areas[::-1]
    }
    return list(seen.values())[::-1]


def _area(area: Area, *, shapes: bool) -> dict[str, Any]:
    return {
        "name": plain(area.description, _TEXT_MOST),
        "geocodes": [{"scheme": name, "value": value} for name, value in area.geocodes] if shapes else [],
        "polygons": [[[lon, lat] for lat, lon in ring] for ring in area.polygons] if shapes else [],
        "circles": [{"point": [each.lon, each.lat], "radius_km": each.radius_km} for each in area.circles]
        if shapes
        else [],
    }


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _maybe(at: datetime | None) -> str | None:
    return None if at is None else _time(at)
