"""Text messages by Twilio and mail by SMTP, with exactly the keys of the contract, from the other side of both wires."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import etree

from tests.outside import county
from tests.outside.cap import alert, cancel_of, moment, update_of
from tests.outside.county import Village
from tests.outside.house import Api, House, copy_of, serving, until
from tests.outside.mailbox import Mail, Mailbox, mailbox
from tests.outside.twilio import ACCOUNT, SENDER, TOKEN, Posted, Twilio, post, twilio
from tests.stores import store_url

MAILED, UNKNOWN, BOTH = "mailed", "unknown", "both"


def _settings(house: House, box: Mailbox, *, sms: str, start_tls: str = "") -> str:
    return f"""
[node]
name = "Qinghe"
jurisdiction = ["770101"]
[store]
url = "{store_url(house.folder, "ledger")}"
[http]
listen = "127.0.0.1:{house.port}"
{sms}
[email]
host = "127.0.0.1"
port = {box.port}
{start_tls}
sender = "清河预警中心 <warn@qinghe.example>"
"""


_SMS = f"""
[sms]
provider = "twilio"
signature = "清河预警"
[sms.twilio]
account_sid = "{ACCOUNT}"
auth_token_file = "twilio.secret"
from = "{SENDER}"
base_url = "http://127.0.0.1:9"
"""


def mailed(name: str, village: Village, email: str, *, phone: str = "") -> str:
    return f"{name},person,{name},{village.code},information_officer,zh,{phone},{email},,,"


@pytest.fixture(scope="module")
def far() -> Iterator[Twilio]:
    with twilio() as account:
        yield account


@pytest.fixture(scope="module")
def box() -> Iterator[Mailbox]:
    with mailbox() as one:
        yield one


@pytest.fixture(scope="module")
def places() -> Iterator[Village]:
    return county.villages()


@pytest.fixture
def place(places: Iterator[Village]) -> Village:
    return next(places)


@pytest.fixture(scope="module")
def people(places: Iterator[Village]) -> Mapping[str, Village]:
    """Villages in which somebody has mail."""
    return {name: next(places) for name in (MAILED, UNKNOWN, BOTH)}


@pytest.fixture(scope="module")
def office(
    tmp_path_factory: pytest.TempPathFactory, plain: House, far: Twilio, box: Mailbox, people: Mapping[str, Village]
) -> Iterator[House]:
    """A daemon with the shipped plans, no public address, and the address of Twilio from the environment."""
    house = copy_of(plain, tmp_path_factory.mktemp("office"))
    county.write(house.folder, "twilio.secret", f"{TOKEN}\n").chmod(0o600)
    house.config.write_text(_settings(house, box, sms=_SMS, start_tls="start_tls = false"), "utf-8")
    house.environment["WARND_SMS__TWILIO__BASE_URL"] = far.url
    rows = [
        mailed(MAILED, people[MAILED], "li@village.example"),
        mailed(UNKNOWN, people[UNKNOWN], "nobody@village.example"),
        mailed(BOTH, people[BOTH], "wang@village.example", phone="+8613500000077"),
    ]
    path = county.write(house.folder, "mailed.csv", "\n".join([county.RECIPIENTS_HEAD, *rows, ""]))
    assert house.warnd("import", "recipients", path).returncode == 0
    with serving(house):
        yield house


@pytest.fixture(scope="module")
def desk(office: House) -> Api:
    return office.api("release")


def text_to(far: Twilio, phone: str, *, number: int = 1) -> Posted:
    return until(lambda: far.to(phone)[number - 1 : number], f"text {number} to {phone}")[0]


def mail_to(box: Mailbox, address: str, *, number: int = 1) -> Mail:
    return until(lambda: box.to(address)[number - 1 : number], f"mail {number} to {address}")[0]


def test_a_text_is_posted_as_the_published_api_wants_it(desk: Api, office: House, far: Twilio, place: Village) -> None:
    made = desk.release(alert([place.code]))
    form = text_to(far, place.officer_phone).form
    assert form["From"] == SENDER
    assert form["Body"].startswith("【清河预警】")
    assert re.search(r"回复[1-9]确认$", form["Body"])
    assert form["StatusCallback"].startswith(f"{office.url}/receipts/twilio/status?attempt=")
    expires = datetime.fromisoformat(desk.warning(made["id"])["expires"])
    left_s = int((expires - moment()).total_seconds())
    assert left_s <= int(form["ValidityPeriod"]) <= left_s + 60  # It was posted a moment ago.
    row = desk.until_evidence(made["id"], place.officer, "accepted")
    assert [leg["channel"] for leg in row["legs"]] == ["sms"]
    assert row["legs"][0]["address_masked"] != place.officer_phone


def test_reports_prove_in_any_order_and_only_when_signed(desk: Api, far: Twilio, place: Village) -> None:
    made = desk.release(alert([place.code]))
    one = text_to(far, place.officer_phone)
    for signature in ("", "AAAA", "bm90IHNpZ25lZCBieSBhbnlib2R5"):
        assert far.tell(one, "delivered", signature=signature) == 403
    assert desk.until_evidence(made["id"], place.officer, "accepted")
    for status in ("delivered", "sent", "queued", "delivered"):
        assert far.tell(one, status) == 204
    row = desk.delivery(made["id"], place.officer)
    assert row["evidence"] == "delivered", "what was answered 204 is committed"


@pytest.mark.parametrize("word", ["digit", "收到"])
def test_a_signed_answer_counts_though_the_message_cannot_be_fetched(
    desk: Api, office: House, far: Twilio, place: Village, word: str
) -> None:
    made = desk.release(alert([place.code]))
    one = text_to(far, place.officer_phone)
    digit = re.search(r"回复([1-9])确认$", one.form["Body"])
    assert digit is not None
    here = office.url if word == "digit" else office.url.replace("127.0.0.1", "localhost")
    url = f"{here}/receipts/twilio/inbound"
    answer = {
        "AccountSid": ACCOUNT,
        "MessageSid": "SM" + one.sid[2:].replace("0", "f", 8),
        "From": place.officer_phone,
        "To": SENDER,
        "Body": digit.group(1) if word == "digit" else word,
    }
    assert post(url, answer, signature="AAAA") == 403
    assert desk.delivery(made["id"], place.officer)["evidence"] != "acknowledged"
    assert [post(url, answer) for _ in range(2)] == [204, 204]
    row = desk.delivery(made["id"], place.officer)
    assert (row["evidence"], row["state"]) == ("acknowledged", "satisfied")


def test_a_busy_gateway_is_asked_again_when_it_said(desk: Api, far: Twilio, place: Village) -> None:
    far.faults.append("busy")
    made = desk.release(alert([place.code]))
    desk.until_evidence(made["id"], place.officer, "accepted")
    refused, taken = [each for each in far.posts if each.form["To"] == place.officer_phone]
    assert taken.at - refused.at >= 1.0, "Retry-After was a second"
    assert far.to(place.officer_phone) == [taken]


@pytest.mark.parametrize("fault", ["broken after taking", "silent after taking"])
def test_what_may_have_been_taken_is_not_posted_again_and_its_report_counts(
    desk: Api, far: Twilio, place: Village, fault: Any
) -> None:
    document = alert([place.code], scope="Restricted", restriction="officers")
    far.faults.append(fault)
    made = desk.release(document)
    (one,) = until(lambda: [each for each in far.taken if each.form["To"] == place.officer_phone], "the text")
    assert far.tell(one, "delivered") == 204
    assert desk.delivery(made["id"], place.officer)["evidence"] == "delivered"
    desk.release(update_of(document))
    text_to(far, place.officer_phone, number=2)
    far.silence_ends.set()
    assert [each.form["Body"] for each in far.to(place.officer_phone)].count(one.form["Body"]) == 1


def test_a_person_with_mail_alone_gets_a_mail_with_everything_in_it(
    desk: Api, box: Mailbox, people: Mapping[str, Village]
) -> None:
    document = alert([people[MAILED].code])
    made = desk.release(document)
    mail = mail_to(box, "li@village.example")
    subject = str(mail.parsed["Subject"])
    assert "红色" in subject[:8]
    assert "洪水" in subject
    assert mail.parsed["Message-ID"]
    assert mail.sender == "warn@qinghe.example"
    assert str(mail.parsed["From"]) == "清河预警中心 <warn@qinghe.example>"
    assert "立即转移到高处" in mail.part("text/plain")
    assert "立即转移到高处" in mail.part("text/html")
    attached = etree.fromstring(mail.part("application/cap+xml").encode())
    assert attached.findtext("{urn:oasis:names:tc:emergency:cap:1.2}identifier") == document.identifier
    row = desk.until_evidence(made["id"], MAILED, "accepted")
    assert [leg["channel"] for leg in row["legs"]] == ["email"]
    assert row["legs"][0]["address_masked"] != "li@village.example"
    assert "village.example" not in row["legs"][0]["address_masked"].partition("@")[0]


@pytest.mark.parametrize("level", ["orange", "yellow", "blue"])
def test_mail_alone_is_enough_at_every_level_of_the_shipped_plans(
    desk: Api, box: Mailbox, people: Mapping[str, Village], level: str
) -> None:
    before = len(box.to("li@village.example"))
    made = desk.release(alert([people[MAILED].code], level=level))
    mail_to(box, "li@village.example", number=before + 1)
    assert desk.until_evidence(made["id"], MAILED, "accepted")["state"] == ("satisfied" if level == "blue" else "open")


def test_the_link_in_a_mail_answers_by_post_alone(
    desk: Api, office: House, box: Mailbox, people: Mapping[str, Village]
) -> None:
    before = len(box.to("wang@village.example"))
    made = desk.release(alert([people[BOTH].code]))
    mail = mail_to(box, "wang@village.example", number=before + 1)
    found = re.search(rf"{re.escape(office.url)}/a/[\w.~-]+", mail.part("text/plain"))
    assert found is not None
    assert found.group() in mail.part("text/html")
    visitor = office.api(None).http
    assert [visitor.request(verb, found.group()).status_code for verb in ("GET", "HEAD", "GET")] == [200] * 3
    assert desk.until_evidence(made["id"], BOTH, "accepted")["state"] == "open"
    for _ in range(2):
        assert visitor.post(found.group()).status_code in {200, 303}
        row = desk.delivery(made["id"], BOTH)
        assert (row["evidence"], row["state"]) == ("acknowledged", "satisfied")
    assert {leg["channel"] for leg in row["legs"]} == {"sms", "email"}, "both at once, by the shipped plan"
    for verb in ("GET", "POST"):
        wrong = httpx.URL(found.group()).copy_with(path="/a/wrong")
        assert visitor.request(verb, wrong).status_code == 404


def test_a_refused_recipient_ends_and_keeps_no_other_from_hearing(
    desk: Api, box: Mailbox, people: Mapping[str, Village]
) -> None:
    before = len(box.to("li@village.example"))
    made = desk.release(alert([people[UNKNOWN].code, people[MAILED].code]))
    mail_to(box, "li@village.example", number=before + 1)
    until(lambda: desk.delivery(made["id"], UNKNOWN)["state"] == "exhausted", "it is over for the unknown one")
    assert box.to("nobody@village.example") == []


def test_a_cancel_is_mailed_to_whoever_got_the_alert(desk: Api, box: Mailbox, people: Mapping[str, Village]) -> None:
    before = len(box.to("li@village.example"))
    document = alert([people[MAILED].code])
    made = desk.release(document)
    mail_to(box, "li@village.example", number=before + 1)
    desk.until_evidence(made["id"], MAILED, "accepted")
    desk.release(cancel_of(document, kind="lift"))
    mail = mail_to(box, "li@village.example", number=before + 2)
    assert "解除" in str(mail.parsed["Subject"])


def test_totals_and_deliveries_have_the_contracts_keys(desk: Api, place: Village) -> None:
    made = desk.release(alert([place.code]))
    totals = desk.until_planned(made["id"])["totals"]
    assert set(totals) >= {"deliveries", "evidence", "villages", "planned"}
    assert set(totals["evidence"]) == {"none", "accepted", "delivered", "presented", "acknowledged"}
    assert set(totals["villages"]) >= {"targeted", "confirmed", "confirmed_late", "unconfirmed"}
    row = desk.delivery(made["id"], place.officer)
    wanted = {"id", "recipient", "region", "purpose", "subject", "evidence", "state", "due_by", "breached_at", "legs"}
    assert set(row) >= wanted | {"satisfied_at"}
    assert set(row["legs"][0]) >= {"channel", "address_masked", "attempts"}


def test_a_mail_server_without_tls_gets_nothing_unless_it_is_allowed(tmp_path: Path, plain: House) -> None:
    with mailbox() as bare:
        house = copy_of(plain, tmp_path)
        sms = '[sms]\nprovider = "spool"\n[sms.spool]\ndir = "spool"'
        house.config.write_text(_settings(house, bare, sms=sms), "utf-8")
        assert _live(house, start_tls="false") == (0, [])
        code, (wrong,) = _live(house)
        assert code == 1
        assert "STARTTLS" in wrong
        try:
            house.start(ready=False)
            until(lambda: "STARTTLS" in _ready(house), "the trouble in /readyz")
        finally:
            house.stop()
        assert not {"MAIL", "AUTH", "DATA"} & set(bare.heard)


def _live(house: House, **environment: str) -> tuple[int, list[str]]:
    """Return `check --live`'s exit code and what it finds wrong."""
    names = {f"WARND_EMAIL__{name.upper()}": value for name, value in environment.items()}
    told = house.warnd("check", "--live", "--json", **names)
    found = json.loads(told.stdout)
    assert {"email", "sms", "web"} <= {each["part"].removeprefix("live ").split()[0] for each in found["live"]}
    return told.returncode, [each["told"] for each in [*found["checks"], *found["live"]] if not each["ok"]]


def _ready(house: House) -> str:
    try:
        return httpx.get(f"{house.url}/readyz", timeout=2, trust_env=False).text
    except httpx.TransportError:
        return ""
