"""The SMS spool from a gateway bridge's side: files, texts, digits, reports, answers."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.outside import county
from tests.outside.broker import needs_mosquitto
from tests.outside.cap import alert, cancel_of, changed, update_of
from tests.outside.county import Village
from tests.outside.house import Api, House, until
from tests.outside.plans import QUICK

pytestmark = needs_mosquitto

GSM7 = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM7_TWICE = set("^{}\\[~]|€")
PUBLIC_ZH, PUBLIC_EN = "+8613500000001", "+8613500000002"


def segments(text: str) -> int:
    """Return how many parts a text makes: GSM-7 160/153, UCS-2 70/67."""
    if set(text) <= GSM7 | GSM7_TWICE:
        length = len(text) + sum(each in GSM7_TWICE for each in text)
        return 1 if length <= 160 else -(-length // 153)
    length = len(text.encode("utf-16-be")) // 2
    return 1 if length <= 70 else -(-length // 67)


def digit_of(text: str) -> str:
    found = re.search(r"(?:回复([1-9])确认|Reply ([1-9]) to confirm)$", text)
    assert found, text
    return found.group(1) or found.group(2)


def test_a_text_is_one_whole_file_with_the_contracts_keys(api: Api, house: House, village: Village) -> None:
    made = api.release(alert([village.code]))
    letter = house.text(village.officer_phone, made["id"])
    assert set(letter) >= {"attempt", "to", "text", "segments", "message_id", "recipient", "kind"}
    path = house.spool / "out" / f"{letter['attempt']}.json"
    raw = path.read_bytes()
    assert json.loads(raw) == letter
    assert "清河预警".encode() in raw
    assert (letter["kind"], letter["recipient"], letter["to"]) == ("warning", village.officer, village.officer_phone)
    assert letter["text"].startswith("【清河预警】")
    assert re.search(r"回复[1-9]确认$", letter["text"])
    assert letter["segments"] == segments(letter["text"])
    first = letter["text"][: 70 if letter["segments"] == 1 else 67]
    for said in ("红色", "柳河镇", "立即转移到高处"):
        assert said in first
    assert [each for each in (house.spool / "out").iterdir() if each.suffix == ".json" and not each.read_bytes()] == []


def test_an_english_reader_is_asked_in_english(api: Api, house: House, newcomer: Callable[..., str]) -> None:
    region, phone = county.LEADERS_VILLAGE, "+8613500000009"
    newcomer(county.person("officer-en", region, "information_officer", phone, lang="en"))
    made = api.release(alert([region], english=True))
    letter = house.text(phone, made["id"])
    assert re.search(r"Reply [1-9] to confirm$", letter["text"])
    assert letter["segments"] == segments(letter["text"])


def until_taken(path: Path) -> None:
    until(lambda: not path.exists(), f"{path.name} is taken")


def test_a_short_or_unknown_report_changes_nothing(api: Api, house: House, village: Village) -> None:
    made = api.release(alert([village.code]))
    house.text(village.officer_phone, made["id"])
    path = house.report("no-such-attempt", "delivered")
    until_taken(path)
    assert api.until_evidence(made["id"], village.officer, "accepted")["state"] == "open"


def test_a_text_is_delivered_when_all_its_parts_are(api: Api, house: House, village: Village) -> None:
    made = api.release(alert([village.code], instruction="立即转移到高处，" * 12))
    letter = house.text(village.officer_phone, made["id"])
    parts = letter["segments"]
    assert parts > 1
    api.until_evidence(made["id"], village.officer, "accepted")
    for part in range(parts, 1, -1):
        path = house.report(letter["attempt"], "delivered", part=part, parts=parts)
        until_taken(path)
    assert api.delivery(made["id"], village.officer)["evidence"] == "accepted"
    house.report(letter["attempt"], "delivered", part=1, parts=parts)
    api.until_evidence(made["id"], village.officer, "delivered")


def test_a_report_without_part_is_the_whole_text(api: Api, house: House, village: Village) -> None:
    made = api.release(alert([village.code]))
    letter = house.text(village.officer_phone, made["id"])
    house.report(letter["attempt"], "delivered")
    api.until_evidence(made["id"], village.officer, "delivered")


def test_evidence_never_falls_and_a_failed_text_is_written_again(api: Api, house: House, village: Village) -> None:
    made = api.release(alert([village.code]))
    letter = house.text(village.officer_phone, made["id"])
    house.report(letter["attempt"], "failed")
    again = house.text(village.officer_phone, made["id"], number=2)
    assert again["attempt"] != letter["attempt"]
    assert digit_of(again["text"]) == digit_of(letter["text"])
    house.report(again["attempt"], "delivered")
    api.until_evidence(made["id"], village.officer, "delivered")
    late = house.report(again["attempt"], "failed")
    until_taken(late)
    assert api.delivery(made["id"], village.officer)["evidence"] == "delivered"


def test_silence_is_repeated_and_says_so(api: Api, house: House, village: Village) -> None:
    made = api.release(alert([village.code], event=QUICK))
    first = house.text(village.officer_phone, made["id"])
    second = house.text(village.officer_phone, made["id"], number=2)
    assert second["attempt"] != first["attempt"]
    assert digit_of(second["text"]) == digit_of(first["text"])
    assert "重发" in second["text"]
    assert "重发" not in first["text"]
    house.answer(village.officer_phone, digit_of(second["text"]))
    api.until_evidence(made["id"], village.officer, "acknowledged")


FORMS = ("{}", " {} ", "回复{}", "{}确认", "回复{}确认", "{}。")
BARE_WORDS = ("收到", "ok", "OK", "好的")


def test_a_digit_or_a_bare_word_acknowledges_in_the_ways_people_write_it(
    api: Api, house: House, untouched: Iterator[Village]
) -> None:
    """A bare word counts because each of these phones has one open message."""
    villages = [next(untouched) for _ in (*FORMS, *BARE_WORDS)]
    made = api.release(alert([village.code for village in villages]))
    paths = []
    for village, form in zip(villages, (*FORMS, *BARE_WORDS), strict=True):
        digit = digit_of(house.text(village.officer_phone, made["id"])["text"])
        paths.append(house.answer(village.officer_phone, form.format(digit)))
    for village in villages:
        assert api.until_evidence(made["id"], village.officer, "acknowledged")["state"] == "satisfied"
    for path in paths:
        until_taken(path)


def test_a_bare_word_proves_nothing_while_two_are_open(api: Api, house: House, village: Village) -> None:
    first, second = (api.release(alert([village.code])) for _ in range(2))
    digits = [digit_of(house.text(village.officer_phone, made["id"])["text"]) for made in (first, second)]
    assert digits[0] != digits[1]
    path = house.answer(village.officer_phone, "收到")
    until_taken(path)
    house.answer(village.officer_phone, digits[1])
    api.until_evidence(second["id"], village.officer, "acknowledged")
    assert api.delivery(first["id"], village.officer)["evidence"] == "accepted"
    house.answer(village.officer_phone, "收到")
    api.until_evidence(first["id"], village.officer, "acknowledged")


def test_other_words_are_kept_and_prove_nothing(api: Api, house: House, village: Village) -> None:
    made = api.release(alert([village.code]))
    letter = house.text(village.officer_phone, made["id"])
    words = ("不是", "0", "1" * 30, "明天几点？", "", "9 8")
    for path in [house.answer(village.officer_phone, text) for text in words]:
        until_taken(path)
    assert api.delivery(made["id"], village.officer)["evidence"] in {"none", "accepted"}
    house.answer(village.officer_phone, digit_of(letter["text"]))
    api.until_evidence(made["id"], village.officer, "acknowledged")


def test_a_strangers_answer_is_taken_and_proves_nothing(api: Api, house: House, village: Village) -> None:
    made = api.release(alert([village.code]))
    letter = house.text(village.officer_phone, made["id"])
    path = house.answer("+8613099999999", digit_of(letter["text"]))
    until_taken(path)
    assert api.delivery(made["id"], village.officer)["evidence"] in {"none", "accepted"}


def test_an_answer_after_the_cancel_closes_nothing_else(api: Api, house: House, village: Village) -> None:
    document = alert([village.code])
    made = api.release(document)
    letter = house.text(village.officer_phone, made["id"])
    taken_back = api.release(cancel_of(document, kind="lift"))
    cancel = house.text(village.officer_phone, taken_back["id"])
    assert cancel["kind"] == "cancel"
    assert cancel["text"].startswith("【清河预警】")
    path = house.answer(village.officer_phone, digit_of(letter["text"]))
    until_taken(path)


def test_a_drill_says_so_right_after_the_signature(api: Api, house: House, village: Village) -> None:
    made = api.release(alert([village.code], status="Exercise"))
    assert house.text(village.officer_phone, made["id"])["text"].startswith("【清河预警】【演练】")


BAD = {
    "no json": "rubbish",
    "a list": "[]",
    "no keys": "{}",
    "another status": '{"attempt": "a", "status": "perhaps", "at": "2026-11-21T08:00:00Z"}',
    "a part beyond its parts": '{"attempt": "a", "status": "delivered", "part": 3, "parts": 2, "at": "2026-11-21T08:00:00Z"}',
    "part zero": '{"attempt": "a", "status": "delivered", "part": 0, "parts": 2, "at": "2026-11-21T08:00:00Z"}',
    "a time without a zone": '{"attempt": "a", "status": "delivered", "at": "yesterday"}',
    "a number for a text": '{"from": "+8613900000001", "text": 1, "at": "2026-11-21T08:00:00Z"}',
}


def test_bad_files_are_put_aside_and_good_ones_go_on(api: Api, house: House, village: Village) -> None:
    made = api.release(alert([village.code]))
    letter = house.text(village.officer_phone, made["id"])
    for number, text in enumerate(BAD.values()):
        house.deliver(f"bad-file-{number}", text)
    house.answer(village.officer_phone, digit_of(letter["text"]))
    api.until_evidence(made["id"], village.officer, "acknowledged")
    for number, what in enumerate(BAD):
        aside = house.spool / "bad" / f"bad-file-{number}.json"
        until(aside.exists, f"{what} in bad/")
        assert not (house.spool / "in" / aside.name).exists()


def test_files_still_being_written_are_left_alone(api: Api, house: House, village: Village) -> None:
    made = api.release(alert([village.code]))
    letter = house.text(village.officer_phone, made["id"])
    half = house.spool / "in" / "half.tmp"
    half.write_text('{"attempt": "', "utf-8")
    house.answer(village.officer_phone, digit_of(letter["text"]))
    api.until_evidence(made["id"], village.officer, "acknowledged")
    assert half.read_text("utf-8") == '{"attempt": "'
    half.unlink()


def test_nothing_in_out_is_ever_removed(api: Api, house: House, village: Village) -> None:
    made = api.release(alert([village.code]))
    letter = house.text(village.officer_phone, made["id"])
    house.report(letter["attempt"], "delivered")
    house.answer(village.officer_phone, digit_of(letter["text"]))
    api.until_evidence(made["id"], village.officer, "acknowledged")
    assert (house.spool / "out" / f"{letter['attempt']}.json").exists()


def test_an_update_asks_for_a_new_answer(api: Api, house: House, village: Village) -> None:
    document = alert([village.code])
    first = api.release(document)
    digit = digit_of(house.text(village.officer_phone, first["id"])["text"])
    house.answer(village.officer_phone, digit)
    api.until_evidence(first["id"], village.officer, "acknowledged")
    second = api.release(update_of(document))
    letter = house.text(village.officer_phone, second["id"])
    assert api.delivery(second["id"], village.officer)["evidence"] in {"none", "accepted"}
    house.answer(village.officer_phone, digit_of(letter["text"]))
    api.until_evidence(second["id"], village.officer, "acknowledged")


def test_leaders_of_targets_and_their_ancestors_are_told_within_the_jurisdiction(api: Api, house: House) -> None:
    made = api.release(alert([county.LEADERS_VILLAGE]))
    for phone in ("+8613600000001", "+8613600000002", "+8613600000003"):
        house.text(phone, made["id"])
    api.until_planned(made["id"])
    told = [row["recipient"] for row in api.deliveries(made["id"])]
    assert len(told) == len(set(told))
    assert not {"leader-foreign", "officer-foreign"} & set(told)


def test_a_person_with_several_seats_gets_one_text_and_deputies_none(
    api: Api, house: House, newcomer: Callable[..., str], village: Village
) -> None:
    many, deputy = "+8613500000021", "+8613500000022"
    newcomer(
        county.person("many-hats", village.code, "information_officer;township_leader@770101101000", many),
        county.person("a-deputy", village.code, "deputy_officer", deputy),
    )
    made = api.release(alert([village.code]))
    house.text(many, made["id"])
    api.until_planned(made["id"])
    house.text(village.officer_phone, made["id"])
    api.until_evidence(made["id"], "many-hats", "accepted")
    assert len(house.texts(many)) == 1
    assert house.texts(deputy) == []


def test_households_are_told_once_when_it_is_public_and_real(
    api: Api, house: House, newcomer: Callable[..., str], village: Village
) -> None:
    newcomer(f"home-1,household,王家,{village.code},public,zh,{PUBLIC_ZH},,,,")
    changes: list[dict[str, Any]] = [{"scope": "Restricted", "restriction": "x"}, {"status": "Exercise"}]
    for change in changes:
        made = api.release(alert([village.code], **change))
        house.text(village.officer_phone, made["id"])
        api.until_planned(made["id"])
        assert api.deliveries(made["id"], recipient="home-1") == []
    made = api.release(alert([village.code], event=QUICK))
    house.text(PUBLIC_ZH, made["id"])
    row = api.until_evidence(made["id"], "home-1", "accepted")
    assert row["state"] == "satisfied"
    house.text(village.officer_phone, made["id"], number=2)
    assert len(house.texts(PUBLIC_ZH)) == 1


@pytest.fixture
def newcomer(house: House, tmp_path: Path) -> Callable[..., str]:
    """Import more recipients beside the running daemon."""

    def bring(*rows: str) -> str:
        path = county.write(tmp_path, "newcomers.csv", "\n".join([county.RECIPIENTS_HEAD, *rows, ""]))
        told = house.warnd("import", "recipients", path)
        assert told.returncode == 0, told.stdout + told.stderr
        return told.stdout

    return bring


def test_texts_of_a_changed_headline_are_the_updates_own(api: Api, house: House, village: Village) -> None:
    document = alert([village.code])
    api.release(document)
    second = api.release(changed(update_of(document), instruction="立即撤到学校。"))
    assert "立即撤到学校" in house.text(village.officer_phone, second["id"])["text"]
