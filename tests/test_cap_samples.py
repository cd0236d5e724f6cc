"""Agreement with the official schemas on real documents, which lie beside the checkout and are not ours to commit.

`WARND_CAP_SAMPLES` names their folder; without it `../shared/cap-samples` is looked for.
"""

import json
import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.cap.alerts import judged
from warnd.model.cap import Alert, NotCap, NotXml, canonical_hash, parse, write

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "cap-samples"
FOLDER = Path(os.environ.get("WARND_CAP_SAMPLES", BESIDE))

pytestmark = pytest.mark.skipif(
    not (FOLDER / "index.json").is_file(), reason=f"no CAP samples at {FOLDER}; set WARND_CAP_SAMPLES to their folder"
)

NAMESPACES = {f"urn:oasis:names:tc:emergency:cap:{version}" for version in ("1.1", "1.2")}


@cache
def index() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((FOLDER / "index.json").read_text())
    return rows


def alerts_of_known_versions() -> list[dict[str, Any]]:
    return [row for row in index() if (row.get("alert") or {}).get("ns") in NAMESPACES]


def document(row: dict[str, Any]) -> bytes:
    return (FOLDER / str(row["path"])).read_bytes()


@cache
def valid() -> list[tuple[str, Alert]]:
    return [(row["path"], parse(document(row))) for row in alerts_of_known_versions() if row["alert"]["xsd"] == "valid"]


def test_the_verdict_agrees_with_the_official_schemas_on_every_alert() -> None:
    disagreements = []
    for row in alerts_of_known_versions():
        try:
            parse(document(row))
            verdict = "valid"
        except (NotCap, NotXml):  # Two samples have a DOCTYPE, which we refuse before the schema is asked.
            verdict = "invalid"
        if verdict != row["alert"]["xsd"]:
            disagreements.append((row["path"], verdict))

    assert disagreements == []
    assert len(alerts_of_known_versions()) > 100


def test_whatever_is_no_alert_of_a_known_version_is_refused() -> None:
    others = [row for row in index() if row not in alerts_of_known_versions()]
    for row in others:
        with pytest.raises((NotCap, NotXml)):
            parse(document(row))

    assert others


def test_every_alert_comes_back_as_valid_1_2_with_the_same_content() -> None:
    for path, alert in valid():
        again = parse(write(alert))
        assert replace(again, unzoned=alert.unzoned) == alert, path
        assert canonical_hash(again) == canonical_hash(alert), path


def test_distinct_alerts_have_distinct_hashes() -> None:
    by_hash: dict[str, Alert] = {}
    for path, alert in valid():
        assert by_hash.setdefault(canonical_hash(alert), alert).key == alert.key, path


def test_what_the_index_remarks_is_what_the_rules_find() -> None:
    """Judged at the moment each was sent; the index is another program's reading of the same documents."""
    remarks = {row["path"]: {*row["notes"], *row["alert"]["notes"]} for row in alerts_of_known_versions()}
    expected = {
        "no expires": "expires_missing",
        "expires<=sent": "expires_not_after_sent",
        "polygon not closed": "polygon_open",
        "geometry: Self-intersection": "polygon_crossing",
        "blank areaDesc": "area_description_blank",
        "no info": "info_missing",
        "Update without references": "references_missing",
        "Cancel without references": "references_missing",
        "sender has space/comma/<&": "key_characters",
        "empty polygon": "polygon_empty",
    }
    found: dict[str, int] = dict.fromkeys(expected, 0)
    for path, alert in valid():
        codes = {reason.code for reason in judged(alert, now=alert.sent)}
        for remark, code in expected.items():
            if remark in remarks[path] and (alert.msg_type in {"Alert", "Update"} or code == "references_missing"):
                found[remark] += 1
                # Where only one of several infos has ended, that is a note and not a refusal.
                assert codes & ({code, "info_expired"} if code == "expires_not_after_sent" else {code}), (path, remark)

    assert sum(1 for count in found.values() if count) >= 5
