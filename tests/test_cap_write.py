"""CAP 1.2 out: every element and value comes back, and the schema agrees."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from lxml import etree

from tests.cap.alerts import ALERT, CANCEL, alerts, sample, with_info
from warnd.model.cap import Alert, Reference, parse, write


@given(alerts)
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read_the_same(alert: Alert) -> None:
    assert parse(write(alert)) == alert


@pytest.mark.parametrize("name", ["flood_red", "flood_update", "flood_cancel", "flood_cancel_bare", "exercise"])
def test_every_text_of_a_sample_is_in_what_is_written(name: str) -> None:
    """Looks at the elements themselves, so that an element forgotten both in reading and in writing is found."""
    before, after = (texts_of(document) for document in (sample(f"{name}.xml"), write(parse(sample(f"{name}.xml")))))

    assert after == before


def texts_of(document: bytes) -> list[tuple[str, str]]:
    parser = etree.XMLParser(remove_comments=True, remove_pis=True)
    found = [(etree.QName(e), " ".join((e.text or "").split())) for e in etree.fromstring(document, parser).iter()]
    numbers = {"polygon", "circle"}
    return [
        (name.localname, " ".join(map(plain, text.split())) if name.localname in numbers else text)
        for name, text in found
        if "xmldsig" not in (name.namespace or "")
    ]


def plain(pair: str) -> str:
    return ",".join(str(float(number)) for number in pair.split(","))


def test_what_is_written_is_utf_8_cap_1_2_with_utc_as_minus_zero() -> None:
    document = write(ALERT)

    assert document.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
    assert b"<sent>2026-07-01T00:00:00-00:00</sent>" in document
    assert "洪水".encode() in document


def test_a_reference_made_from_an_alert_is_read_back() -> None:
    cancel = replace(CANCEL, references=(Reference(ALERT.sender, ALERT.identifier, ALERT.sent),))

    assert parse(write(cancel)).references[0].key == ALERT.key


def test_characters_that_xml_forbids_do_not_stop_a_cancel() -> None:
    cancel = replace(CANCEL, note="sent\x00 by \x0bmistake\ud800 \ufffe✓")

    assert parse(write(cancel)).note == "sent by mistake ✓"


def test_a_fraction_of_a_second_is_dropped() -> None:
    alert = parse(write(with_info(expires=datetime(2026, 7, 1, 12, 0, 0, 999_999, tzinfo=UTC))))

    assert alert.expires == datetime(2026, 7, 1, 12, tzinfo=UTC)
