"""Receipts in all the ways in which message centres write them."""

from pathlib import Path
from typing import Any

import pytest
import smpp34
from hypothesis import given
from hypothesis import strategies as st

from channels.sms.smpp.book import Book, Entry
from channels.sms.smpp.notices import DELIVERED, FAILURES, Receipted, Written, kept_id, read
from warnd.settings.sections.sms_smpp import SmsSmpp

PASSWORD: list[Path] = []
TEXT = "id:{id} sub:001 dlvrd:001 submit date:2607031530 done date:2607031531 stat:{state} err:027 text:abc"


@pytest.fixture(scope="module", autouse=True)
def _password(tmp_path_factory: pytest.TempPathFactory) -> None:
    PASSWORD.append(tmp_path_factory.mktemp("smpp") / "password")
    PASSWORD[-1].write_text("secret")


def section(**settings: Any) -> SmsSmpp:
    return SmsSmpp.model_validate({"host": "h", "system_id": "s", "password_file": str(PASSWORD[-1]), **settings})


def told(text: str = "", *, tlvs: dict[int, bytes] | None = None, esm_class: int = 0x04, **settings: Any) -> Any:
    options = [smpp34.Tlv(tag, value) for tag, value in (tlvs or {}).items()]
    frame = smpp34.DeliverSm(
        "8613800000001", "1069", text.encode("latin-1"), source_addr_ton=1, esm_class=esm_class, tlvs=options
    ).encode()
    pdu = smpp34.decode(frame)
    assert isinstance(pdu, smpp34.DeliverSm)
    return read(pdu, section(**settings))


@pytest.mark.parametrize(
    "state", ["DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD", "ENROUTE"]
)
def test_the_text_form_is_read(state: str) -> None:
    receipt = told(TEXT.format(id="1a2b", state=state))
    assert isinstance(receipt, Receipted)
    assert (receipt.message_ids, receipt.state, receipt.error) == (("1a2b",), state, "027")
    assert receipt.done_at is not None
    assert receipt.done_at.isoformat() == "2026-07-03T07:31:00+00:00"


def test_only_delivered_and_the_final_refusals_prove_anything() -> None:
    assert {DELIVERED, *FAILURES} == {"DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "REJECTD"}


@pytest.mark.parametrize(
    "text",
    [
        "ID:77 STAT:delivrd",
        "id: 77 stat: DELIVRD",
        "id:77 sub:000 dlvrd:000 submit date:x done date:9999999999 stat:DELIVRD Err:0 Text:",
    ],
)
def test_other_ways_of_writing_it_are_read(text: str) -> None:
    receipt = told(text)
    assert (receipt.message_ids, receipt.state, receipt.done_at) == (("77",), "DELIVRD", None)


def test_parameters_say_it_without_a_text_and_win_over_it() -> None:
    tlvs = {0x001E: b"1a2b\0", 0x0427: b"\x05"}
    assert (told(tlvs=tlvs).message_ids, told(tlvs=tlvs).state) == (("1a2b",), "UNDELIV")
    both = told(TEXT.format(id="6699", state="DELIVRD"), tlvs=tlvs)
    assert (both.message_ids, both.state) == (("1a2b", "6699"), "UNDELIV")


@pytest.mark.parametrize(
    ("base", "answered", "in_receipt"),
    [
        ("same", "1A2B", "1A2B"),
        ("hex_in_answer", "1A2B", "0000006699"),
        ("decimal_in_answer", "0000006699", "1A2B"),
        ("hex_in_answer", "x-y", "x-y"),
    ],
)
def test_ids_are_converted_between_answer_and_receipt(base: str, answered: str, in_receipt: str) -> None:
    receipt = told(TEXT.format(id=in_receipt, state="DELIVRD"), message_id_base=base)
    assert receipt.message_ids == (kept_id(answered, base),)  # type: ignore[arg-type]  # the cases above are its words


def test_a_receipt_without_state_or_id_proves_nothing() -> None:
    receipt = told("hello")
    assert (receipt.message_ids, receipt.state) == ((), "UNKNOWN")


@pytest.mark.parametrize("esm_class", [0x08, 0x10, 0x18, 0x20])
def test_other_kinds_are_no_receipts_and_no_replies(esm_class: int) -> None:
    assert told(TEXT.format(id="1", state="DELIVRD"), esm_class=esm_class) is None


def test_a_reply_may_stand_in_the_payload() -> None:
    assert told(tlvs={0x0424: b"ok"}, esm_class=0) == Written("+8613800000001", "ok")


@given(text=st.text(st.characters(max_codepoint=255), max_size=150), state=st.binary(max_size=3))
def test_no_receipt_breaks_the_reader(text: str, state: bytes) -> None:
    receipt = told(text, tlvs={0x0427: state})
    assert isinstance(receipt, Receipted)
    assert len(receipt.raw) <= 200


def test_the_book_forgets_the_oldest_and_outlives_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "parts"
    book = Book(file, kept_max=3)
    for number in range(10):
        book.note(f"id{number}", Entry(f"a-{number}-1", 1, 2))
    assert (book.find("id6"), book.find("id7")) == (None, Entry("a-7-1", 1, 2))
    again = Book(file, kept_max=3)
    assert (again.find("id6"), again.find("id9")) == (None, Entry("a-9-1", 1, 2))
    assert len(file.read_text().splitlines()) <= 6


def test_a_file_that_lost_its_end_or_cannot_be_written_costs_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "parts"
    file.write_text('["id1", "a-1-1", 1, 2]\n["id2"]\n7\n["id3", "a-3-', "utf-8")
    assert Book(file).find("id1") == Entry("a-1-1", 1, 2)
    book = Book(tmp_path / "nowhere" / "parts")
    book.note("id1", Entry("a-1-1", 1, 2))
    book.note("id2", Entry("a-1-1", 2, 2))
    assert book.find("id1") == Entry("a-1-1", 1, 2)
    assert capsys.readouterr().out.count("smpp_parts_file_not_written") == 1, "once, not for every part"


def test_one_part_texts_are_not_written_down(tmp_path: Path) -> None:
    Book(tmp_path / "parts").note("id1", Entry("a-1-1", 1, 1))
    assert not (tmp_path / "parts").exists()
