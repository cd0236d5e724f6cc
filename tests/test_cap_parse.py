"""What is read from documents, and what is refused at the two doors."""

import os
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cap.alerts import sample
from warnd.model.cap import MAX_BYTES, Circle, NotCap, NotXml, Reference, TooLarge, parse, write
from warnd.model.reason import Verdict

EAST_8 = timedelta(hours=8)


def test_every_element_of_a_warning_is_read() -> None:
    alert = parse(sample("flood_red.xml"))
    chinese, english = alert.infos

    assert alert.key == ("flood@qinghe.example", "51999900000000_20260701080000_1")
    assert alert.sent == datetime(2026, 7, 1, tzinfo=UTC)
    assert alert.sent.utcoffset() == EAST_8
    assert (alert.status, alert.msg_type, alert.scope) == ("Actual", "Alert", "Public")
    assert alert.source == "清河县防汛抗旱指挥部"
    assert alert.code == ("profile:qinghe:1.0", "internal:7")
    assert alert.incidents == '"Qing River flood 2026" reservoir-3'
    assert alert.expires == datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert chinese.category == ("Met", "Safety")
    assert chinese.response_types == ("Evacuate", "Avoid")
    assert chinese.event_codes == (("hazard", "11B01"), ("hazard", "flood"))
    assert chinese.onset == datetime(2026, 7, 1, 1, 30, tzinfo=UTC)
    assert chinese.web == "https://flood.qinghe.example/w/1?lang=zh&full=1"
    assert chinese.parameters == (("warnd:level", "red"), ("peak_m3_s", "4200"))
    assert "\n\n下游" in (chinese.description or "")
    assert (english.effective, english.audience, english.parameters) == (None, None, ())
    [resource] = chinese.resources
    assert (resource.mime_type, resource.size) == ("image/png", "68")
    assert (resource.deref_uri or "").startswith("iVBOR")
    area, office = chinese.areas
    assert area.polygons[1] == ((31.3, 104.1), (31.3, 104.2), (31.4, 104.15), (31.3, 104.1))
    assert area.circles == (Circle(31.5, 104.5, 6.5),)
    assert area.geocodes[1:] == (("region_code", "519999102000"), ("adcode", "519999"))
    assert (area.altitude, area.ceiling) == ("1200", "1650.5")
    assert office.geocodes == (("区划代码", "519999103"),)


def test_references_of_a_cancel_are_read() -> None:
    first, second = parse(sample("flood_cancel.xml")).references

    assert first == Reference(
        "flood@qinghe.example", "51999900000000_20260701080000_1", datetime(2026, 7, 1, tzinfo=UTC)
    )
    assert second.identifier == "51999900000000_20260701110000_2"


def test_prefix_comment_cdata_instruction_and_signature_are_no_trouble() -> None:
    alert = parse(sample("exercise.xml"))

    assert alert.infos[0].event == "山洪"
    assert alert.infos[0].description == "演练：<假设>山洪 & 泥石流"
    assert alert.sent == datetime(2026, 9, 15, 1, tzinfo=UTC)


def test_cap_1_1_is_read_and_goes_out_as_valid_1_2() -> None:
    alert = parse(sample("old_version.xml"))
    out = parse(write(alert))

    assert alert.sent == datetime(2026, 3, 2, 1, tzinfo=UTC)
    assert alert.infos[0].resources[0].mime_type == "application/octet-stream"
    assert alert.infos[0].areas[0].altitude == "above the tree line"
    without_height = replace(alert.infos[0], areas=(replace(alert.infos[0].areas[0], altitude=None),))
    assert out == replace(alert, infos=(without_height,))
    assert b"urn:oasis:names:tc:emergency:cap:1.2" in write(alert)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030", "gbk"])
def test_a_declared_encoding_is_read(encoding: str) -> None:
    declared = encoding.removesuffix("-sig").removesuffix("-le")
    text = sample("flood_red.xml").decode().replace('encoding="UTF-8"', f'encoding="{declared}"')

    assert parse(text.encode(encoding)) == parse(sample("flood_red.xml"))


@pytest.mark.parametrize("name", ["doctype", "entity_bomb"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_a_doctype_is_refused_in_any_encoding(name: str, encoding: str) -> None:
    text = sample(f"broken/{name}.xml").decode().replace("UTF-8", encoding.removesuffix("-sig"))

    with pytest.raises(NotXml) as refused:
        parse(text.encode(encoding))

    assert [reason.code for reason in refused.value.reasons] == ["doctype"]


def test_a_doctype_that_no_byte_shows_is_refused_too() -> None:
    """In UTF-7 only the declaration is readable; what follows is found by the parser, which expands nothing."""
    declaration, _, rest = sample("broken/entity_bomb.xml").decode().partition("?>")
    document = declaration.encode() + b' encoding="UTF-7"?>' + rest.replace("<!", "+ADwAIQ-").encode()
    assert b"<!" not in document

    with pytest.raises(NotXml) as refused:
        parse(document)

    assert refused.value.reasons[0].code in {"doctype", "not_xml"}


def test_the_word_doctype_in_a_text_is_only_a_word() -> None:
    document = sample("flood_red.xml").replace("与水文站".encode(), b"<![CDATA[<!DOCTYPE]]>", 1)

    assert (parse(document).note or "").startswith("<!DOCTYPE")


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b" ",
        b"\x00",
        b"{}",
        b"\xff\xfe",
        b"<alert",
        b'<?xml version="1.0" encoding="no-such-code"?><alert/>',
        b"<a>" * 1000 + b"</a>" * 1000,
        b"\xfe\xff\xd8",
    ],
)
def test_what_is_not_xml_is_refused_as_that(document: bytes) -> None:
    with pytest.raises(NotXml) as refused:
        parse(document)

    assert [reason.code for reason in refused.value.reasons] == ["not_xml"]
    assert refused.value.reasons[0].verdict is Verdict.REFUSE


@pytest.mark.parametrize(("name", "line"), [("not_closed", "line 5"), ("unknown_entity", "line 1")])
def test_a_malformed_document_is_refused_with_its_line(name: str, line: str) -> None:
    with pytest.raises(NotXml, match=line) as refused:
        parse(sample(f"broken/{name}.xml"))

    assert refused.value.reasons[0].code == "not_xml"


def test_a_document_over_the_limit_is_refused_unseen() -> None:
    with pytest.raises(TooLarge) as refused:
        parse(b"<" * (MAX_BYTES + 1))

    assert refused.value.reasons[0].code == "too_large"


@pytest.mark.parametrize(("name", "code"), [("feed", "not_cap"), ("version_10", "version_unsupported")])
def test_other_documents_are_refused_by_what_they_are(name: str, code: str) -> None:
    with pytest.raises(NotCap) as refused:
        parse(sample(f"broken/{name}.xml"))

    [reason] = refused.value.reasons
    assert reason.code == code
    assert "http://www." in reason.cause


def test_each_wrong_value_is_named_with_line_and_place() -> None:
    with pytest.raises(NotCap) as refused:
        parse(sample("broken/wrong_values.xml"))

    found = [(reason.code, reason.element, reason.cause.partition(":")[0]) for reason in refused.value.reasons]
    assert found == [
        ("time_form", "sent", "line 5"),
        ("value_not_allowed", "info[2]/severity", "line 20"),
        ("value_not_allowed", "info[2]/area[1]/altitude", "line 22"),
    ]
    assert "2026-07-01T00:00:00Z" in refused.value.reasons[0].cause
    assert "Gigantic" in refused.value.reasons[1].cause
    assert all(reason.verdict is Verdict.REFUSE for reason in refused.value.reasons)


def test_a_wrong_order_is_named_with_what_was_expected() -> None:
    with pytest.raises(NotCap) as refused:
        parse(sample("broken/wrong_order.xml"))

    [reason] = refused.value.reasons
    assert (reason.code, reason.element) == ("element_unexpected", "sent")
    assert "Expected is ( sender )" in reason.cause


def test_the_place_is_named_under_a_prefix_too() -> None:
    with pytest.raises(NotCap) as refused:
        parse(sample("exercise.xml").replace(b"<cap:urgency>Expected", b"<cap:urgency>Soon"))

    assert [reason.element for reason in refused.value.reasons] == ["info[1]/urgency"]


def test_a_missing_element_is_named() -> None:
    document = b'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"/>'

    with pytest.raises(NotCap, match="identifier") as refused:
        parse(document)

    assert [reason.code for reason in refused.value.reasons] == ["element_missing"]


def test_megabytes_of_bad_elements_are_answered_briefly() -> None:
    """Asking libxml2 for the address of each of them would take minutes; the rest of the day's warnings would wait."""
    document = sample("flood_cancel_bare.xml").replace(b"</alert>", b"<info/>" * 250_000 + b"</alert>")

    with pytest.raises(NotCap) as refused:
        parse(document)

    assert len(refused.value.reasons) == 20
    assert refused.value.reasons[1].element == "info[2]"


def test_an_error_beyond_what_is_looked_up_is_still_refused() -> None:
    code = b"<code>c</code>"
    cancel = sample("flood_cancel_bare.xml").replace(b"<references>", code * 300 + b"<code><bad/></code><references>")

    with pytest.raises(NotCap) as refused:
        parse(cancel)

    [reason] = refused.value.reasons
    assert reason.code == "structure"
    assert "code" in reason.cause


def test_a_schema_location_is_never_opened(tmp_path: Path) -> None:
    """Opening this pipe would wait for ever."""
    pipe = tmp_path / "evil.xsd"
    os.mkfifo(pipe)
    document = sample("exercise.xml").replace(b"/nowhere/cap.xsd", str(pipe).encode())
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(parse(document).identifier), daemon=True)

    reader.start()
    reader.join(timeout=10)

    assert read == ["drill-2026-09"]


def test_threads_may_parse_side_by_side() -> None:
    """The schema objects keep their errors on themselves, so each thread needs its own."""
    wrong: list[set[str]] = []

    def refuse(document: bytes) -> None:
        codes: set[str] = set()
        for _ in range(50):
            with pytest.raises(NotCap) as refused:
                parse(document)
            codes.add(" ".join(reason.code for reason in refused.value.reasons))
        wrong.append(codes)

    documents = [sample("broken/wrong_values.xml"), sample("broken/wrong_order.xml")]
    threads = [threading.Thread(target=refuse, args=(document,)) for document in documents * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert (
        sorted(map(sorted, wrong))
        == [["element_unexpected"]] * 2 + [["time_form value_not_allowed value_not_allowed"]] * 2
    )


def test_a_time_outside_the_calendar_is_refused() -> None:
    document = sample("old_version.xml").replace(b"2026-03-02T12:00:00+08:00", b"12026-03-02T12:00:00Z")

    with pytest.raises(NotCap) as refused:
        parse(document)

    [reason] = refused.value.reasons
    assert (reason.code, reason.element) == ("time_unreadable", "info[1]/expires")


def test_a_time_without_zone_is_read_but_marked() -> None:
    document = sample("old_version.xml").replace(b"2026-03-02T12:00:00+08:00", b"2026-03-02T12:00:00")

    assert parse(document).unzoned == ("info[1]/expires",)


def test_an_empty_language_is_no_language() -> None:
    alert = parse(sample("flood_update.xml").replace(b"<language>zh-CN</language>", b"<language/>"))

    assert alert.infos[0].language is None


def test_texts_come_without_the_space_around_them() -> None:
    document = sample("flood_cancel_bare.xml").replace(
        b"flood@qinghe.example</sender>", b"\n  flood@qinghe.example\t</sender>"
    )

    assert parse(document).sender == "flood@qinghe.example"


def test_an_empty_element_is_not_a_missing_one() -> None:
    document = sample("flood_update.xml").replace(b"<parameter>", b"<web/><parameter>", 1)

    assert parse(document).infos[0].web == ""
    assert parse(document).infos[0].contact is None


def test_languages_are_found_by_their_primary_part() -> None:
    alert = parse(sample("flood_red.xml"))

    assert alert.languages() == ("zh", "en")
    assert [alert.info_for(tag) for tag in ("zh", "zh-CN", "ZHO", "cmn-Hans", "zh_CN")] == [alert.infos[0]] * 5
    assert alert.info_for("en") == alert.infos[1]
    assert alert.info_for("yue") is None


def test_infos_that_repeat_a_language_are_all_found() -> None:
    alert = parse(sample("flood_red.xml"))
    twice = replace(alert, infos=(*alert.infos, replace(alert.infos[0], language="zho")))

    assert twice.languages() == ("zh", "en")
    assert twice.infos_for("zh") == (twice.infos[0], twice.infos[2])
    assert twice.info_for("zh") == twice.infos[0]
