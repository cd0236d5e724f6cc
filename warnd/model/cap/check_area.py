"""The rules about where: which areas, polygons and circles of an Alert or Update can be used."""

from collections.abc import Iterator

from warnd.model.cap.alert import Alert, Area
from warnd.model.cap.catalogue import RULES, finding
from warnd.model.cap.geometry import circle_fault, polygon_fault, write_circle, write_polygon
from warnd.model.cap.write import height_is_number
from warnd.model.reason import Reason, Verdict, shorten


def check_areas(alert: Alert) -> Iterator[Reason]:
    """Yield what is wrong with the areas; a fault is only noted where the alert has another usable part of an area."""
    areas = [
        (f"info[{i}]/area[{j}]", area) for i, info in enumerate(alert.infos, 1) for j, area in enumerate(info.areas, 1)
    ]
    if not areas:
        if alert.infos and alert.msg_type in {"Alert", "Update"}:
            yield finding("area_missing", "info", f"no info of the {alert.msg_type} has an area")
        return
    for number, info in enumerate(alert.infos, 1):
        if not info.areas:
            yield finding("info_without_area", f"info[{number}]/area", f"info[{number}] has no area")
    for path, area in areas:
        yield from _check_texts(area, path)
    yield from _check_shapes(areas)


def _check_texts(area: Area, path: str) -> Iterator[Reason]:
    if not area.description.strip():
        yield finding("area_description_blank", f"{path}/areaDesc", f"the areaDesc of {path} is blank")
    for name, height in (("altitude", area.altitude), ("ceiling", area.ceiling)):
        if not height_is_number(height):
            yield finding("altitude_unreadable", f"{path}/{name}", f"{name} is '{height}'")


def _check_shapes(areas: list[tuple[str, Area]]) -> Iterator[Reason]:
    faults: list[tuple[str, str, str]] = []
    usable = False
    for path, area in areas:
        found = _faults(area, path)
        faults += found
        shapes = len(area.polygons) + len(area.circles) + len(area.unreadable)
        usable = usable or bool(area.geocodes) or len(found) < shapes
    for code, element, cause in faults:
        yield finding(code, element, cause, verdict=Verdict.NOTE if usable else RULES[code].verdicts[0])


def _faults(area: Area, path: str) -> list[tuple[str, str, str]]:
    """Return (code, element, cause) of each polygon and circle that cannot be used."""
    faults = [
        (f"{kind}_unreadable", f"{path}/{kind}", f"{kind} is '{shorten(text)}'") for kind, text in area.unreadable
    ]
    for number, points in enumerate(area.polygons, 1):
        code = polygon_fault(points)
        if code:
            faults.append(
                (code, f"{path}/polygon[{number}]", f"polygon of {len(points)} points: {write_polygon(points[:4])}")
            )
    for number, circle in enumerate(area.circles, 1):
        code = circle_fault(circle) or ("circle_radius_zero" if circle.radius_km == 0 else None)
        if code:
            faults.append((code, f"{path}/circle[{number}]", f"circle is '{write_circle(circle)}'"))
    return faults
