"""Mails as bytes: read back by the standard library they say what was meant, whatever stood in the values."""

import binascii
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.address import Mailbox, mailbox
from channels.email.letter import date_of, draft
from channels.email.options import EmailOptions, ServerOptions
from tests.fakes.message import red_flood
from warnd.channel import ANSWER_LINK, Message, Text
from warnd.model.level import Level

NOW = datetime(2026, 7, 3, 7, 30, tzinfo=UTC)
LI = Mailbox("li@village.example", international=False)
URL = "https://warn.county.example/a/a3b35babb0-2-1." + "x" * 90 + "?a=1&b=<2>"
OPTIONS = EmailOptions(
    ServerOptions(host="127.0.0.1", port=25, hello="county.example"), sender="warn@county.example", sender_name="清河县"
)
MESSAGE = red_flood(NOW, chain_id="c1", headline="", document="<alert>洪水</alert>".encode())
TEXT = Text(
    "zh",
    f"洪水红色预警\n.行首有点\n确认：\n{ANSWER_LINK}\n",
    subject="洪水红色预警：柳河镇",
    html=f'<p>洪水 = 100%</p><a href="{ANSWER_LINK}">确认</a> {ANSWER_LINK}',
)


def wire(
    text: Text = TEXT, message: Message = MESSAGE, *, url: str | None = URL, options: EmailOptions = OPTIONS
) -> bytes:
    made = draft(message, text, options, asks=url is not None)
    return made.letter(LI, message_id="<a-1-1@county.example>", date=date_of(NOW), answer_url=url)


def received(sent: bytes) -> EmailMessage:
    """Do what a server does with what it read, then parse it."""
    assert sent.endswith(b"\r\n.\r\n")
    lines = sent.removesuffix(b".\r\n").split(b"\r\n")
    assert not any(line == b"." for line in lines), "a dot alone would end the mail early"
    assert all(b"\n" not in line and b"\r" not in line for line in lines)
    return message_from_bytes(b"\r\n".join(line.removeprefix(b".") for line in lines), policy=default)


def part(mail: EmailMessage, kind: str) -> str:
    found = mail.get_body(preferencelist=(kind,))
    assert found is not None
    content: str = found.get_content()
    return content


def test_a_mail_reads_back_as_it_was_meant() -> None:
    mail = received(wire())
    assert mail["Subject"] == "洪水红色预警：柳河镇"
    assert mail["From"] == "清河县 <warn@county.example>"
    assert mail["To"].addresses[0].addr_spec == "li@village.example"
    assert mail["Message-ID"] == "<a-1-1@county.example>"
    assert mail["Date"].datetime == NOW
    assert mail["List-Id"].endswith("<warnings.county.example>")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["References"] == "<chain.c1@county.example>"
    assert (mail["X-Priority"], mail["Importance"]) == ("1 (Highest)", "high")
    assert mail.defects == []
    assert part(mail, "plain").splitlines() == ["洪水红色预警", ".行首有点", "确认：", URL]
    escaped = URL.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert part(mail, "html") == f'<p>洪水 = 100%</p><a href="{escaped}">确认</a> {escaped}'


def test_the_cap_document_is_attached_whole() -> None:
    (attached,) = received(wire()).iter_attachments()
    assert attached.get_content_type() == "application/cap+xml"
    assert attached.get_filename() == "m1.cap.xml"
    assert attached.get_payload(decode=True) == MESSAGE.document
    assert list(received(wire(message=replace(MESSAGE, document=b""))).iter_attachments()) == []


def test_a_mail_without_html_and_without_a_question_is_text_alone() -> None:
    mail = received(wire(Text("en", "It is over."), url=None))
    assert mail["Subject"] == "It is over."
    assert [each.get_content_type() for each in mail.walk() if not each.is_multipart()] == [
        "text/plain",
        "application/cap+xml",
    ]
    assert part(mail, "plain").strip() == "It is over."


def test_a_text_that_has_no_place_for_the_link_gets_it_at_its_end() -> None:
    lines = part(received(wire(Text("zh", "洪水"))), "plain").splitlines()
    assert lines == ["洪水", "", "确认收到:", URL]


@pytest.mark.parametrize(
    ("message", "urgent"),
    [
        (MESSAGE, True),
        (replace(MESSAGE, level=Level.BLUE), False),
        (replace(MESSAGE, kind="cancel"), False),
        (replace(MESSAGE, drill=True), False),
    ],
)
def test_only_a_red_warning_is_marked_urgent(message: Message, *, urgent: bool) -> None:
    assert ("X-Priority" in received(wire(message=message))) == urgent


def test_the_messages_of_a_chain_are_one_conversation() -> None:
    first, second = received(wire()), received(wire(message=replace(MESSAGE, id="m2", seq=2, kind="cancel")))
    assert first["References"] == second["References"] == second["In-Reply-To"]
    assert "In-Reply-To" not in first


def test_no_value_can_begin_a_header_of_its_own() -> None:
    attack = "x\r\nBcc: everybody@example.org\r\n\r\n<script>"
    options = replace(OPTIONS, sender_name=attack)
    message = replace(MESSAGE, id=attack, chain_id="c1")
    mail = received(wire(replace(TEXT, subject=attack, lang=attack), message=message, options=options))
    assert "Bcc" not in mail
    assert str(mail["Subject"]) == "x Bcc: everybody@example.org <script>"
    assert mail["From"].addresses[0].addr_spec == "warn@county.example"


@given(subject=st.text(max_size=300), name=st.text(max_size=60), body=st.text(), html=st.text(min_size=1))
def test_any_values_make_a_whole_mail_of_the_same_headers(subject: str, name: str, body: str, html: str) -> None:
    body, html = body.encode("utf-8", "replace").decode(), html.encode("utf-8", "replace").decode()
    options = replace(OPTIONS, sender_name=name)
    sent = wire(Text("zh", body, subject=subject, html=html), options=options, url=None)
    assert sent.isascii()
    assert all(len(line) <= 998 for line in sent.split(b"\r\n")), "RFC 5322 §2.1.1"
    mail = received(sent)
    assert set(mail.keys()) == set(received(wire(url=None)).keys())
    assert part(mail, "plain").split() == body.split()
    assert part(mail, "html").split() == html.split()


@given(
    st.text(alphabet=".=a-é\n ", max_size=300),
    st.from_regex(r"https://[a-z.]{1,9}/[A-Za-z0-9._=&-]{0,200}", fullmatch=True),
)
def test_a_link_of_any_length_stands_whole_between_any_words(words: str, url: str) -> None:
    mail = received(wire(Text("zh", f"{words}{ANSWER_LINK}{words}", html=f"<a href='{ANSWER_LINK}'>"), url=url))
    assert "".join(part(mail, "plain").splitlines()) == "".join(f"{words}{url}{words}".split("\n"))
    assert part(mail, "html") == f"<a href='{url.replace('&', '&amp;')}'>"


def test_a_subject_is_folded_and_reads_back() -> None:
    subject = "红色预警" * 40
    raw = wire(replace(TEXT, subject=subject))
    assert all(len(line) <= 78 for line in raw.split(b"\r\n\r\n")[0].split(b"\r\n"))
    header = message_from_bytes(raw)["Subject"]
    assert str(make_header(decode_header(header))) == subject


GOOD = [
    ("li@village.example", "li@village.example", False),
    ("o'neil+x=y@village.example", "o'neil+x=y@village.example", False),
    ("li@村.example", "li@xn--brv.example", False),
    ("李@village.example", "李@village.example", True),
    ("warn@localhost", "warn@localhost", False),
]


@pytest.mark.parametrize(("address", "wired", "international"), GOOD)
def test_addresses_that_can_be_written_to(address: str, wired: str, *, international: bool) -> None:
    assert mailbox(address) == Mailbox(wired, international=international)


BAD = (
    *("", "li", "@village.example", "li@", "li@a@b.example", "li li@village.example", "<li@village.example>"),
    *("li@village.example\r\nRCPT TO:<x@y.example>", "li\x00@village.example", "li@-village.example"),
    *("li@village..example", "li@" + "a" * 64 + ".example", "x" * 65 + "@village.example", "li@\u2028.example"),
    *("a@" + "b." * 130 + "example", "\ud800@village.example", "li@ -.example", "li\u202e@village.example"),
)


@pytest.mark.parametrize("address", BAD)
def test_addresses_that_cannot_are_refused_with_a_reason(address: str) -> None:
    assert isinstance(mailbox(address), str)


@given(st.text(max_size=80))
def test_no_address_brings_a_control_character_to_the_wire(address: str) -> None:
    found = mailbox(address)
    if isinstance(found, Mailbox):
        assert found.wire.isprintable()
        assert not set(found.wire) & set(" <>")
        assert found.wire.isascii() or found.international


def test_the_original_recipient_is_written_in_xtext() -> None:
    plain, other = mailbox("a+b=c@village.example"), mailbox("李@village.example")
    assert isinstance(plain, Mailbox)
    assert isinstance(other, Mailbox)
    assert plain.orcpt == "rfc822;a+2Bb+3Dc@village.example"
    assert other.orcpt is None


def test_quoted_printable_is_what_the_library_reads() -> None:
    assert binascii.a2b_qp(wire()).count(URL.encode()) == 1, "once in the text; in the HTML its marks are escaped"
