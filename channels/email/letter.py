"""Mails as bytes: everything that is the same for all readers of a text is made once, and each mail adds its own few lines.

A mail is text and HTML as alternatives, and the CAP document. All of it is ASCII with CRLF and doubled dots at line starts
(RFC 5321 §4.5.2), so nothing is left to do per mail but to join. No value from outside can begin a header of its own: controls
are taken out here, whoever else did so before.
"""

import binascii
import html
from base64 import encodebytes
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime

from channels.email.address import Mailbox
from channels.email.options import EmailOptions
from warnd.channel import ANSWER_LINK, Message, Text
from warnd.model.level import Level

_HEADER_LINE = 76
_NAME_MAX = 100
_MIXED, _ALTERNATIVE = "=_warnd_mixed", "=_warnd_alternative"  # "=_" stands in no quoted-printable and no base64 text.
_ASKING = {"zh": "确认收到", "en": "Confirm that you have read this"}
_ID_MARKS = str.maketrans("", "", "-_")
_SOFT_BREAK = b"=\r\n"  # Joins two lines of quoted-printable without a trace (RFC 2045 §6.7).


@dataclass(frozen=True, slots=True)
class Draft:
    """What all mails of one text share. Between the pieces of the two bodies stands the answer link."""

    headers: bytes
    plain: tuple[bytes, ...]
    between: bytes
    rich: tuple[bytes, ...]
    after: bytes

    def letter(self, to: Mailbox, *, message_id: str, date: bytes, answer_url: str | None) -> bytes:
        """Return one whole mail, ready for DATA, the last dot included."""
        link = answer_url or ""
        own = f"Message-ID: {message_id}\r\nTo: <{to.wire}>\r\n".encode()
        return b"".join(
            (
                b"Date: " + date + b"\r\n" + own + self.headers,
                _joined(self.plain, link),
                self.between,
                _joined(self.rich, html.escape(link)),
                self.after,
            )
        )


def draft(message: Message, text: Text, options: EmailOptions, *, asks: bool) -> Draft:
    """Return what all mails of a text share; `asks` = each will have a link to answer by."""
    plain = text.text
    if asks and ANSWER_LINK not in plain:
        plain = f"{plain}\n\n{_ASKING.get(text.lang, _ASKING['en'])}:\n{ANSWER_LINK}"
    alternative = f'Content-Type: multipart/alternative; boundary="{_ALTERNATIVE}"\r\n\r\n'
    part = "Content-Type: text/{}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n".format
    first = f"--{_MIXED}\r\n{alternative}--{_ALTERNATIVE}\r\n{part('plain')}"
    second = f"\r\n--{_ALTERNATIVE}\r\n{part('html')}" if text.html else ""
    return Draft(
        headers=_headers(message, text, options) + first.encode("ascii"),
        plain=_pieces(plain.rstrip("\n") + "\n"),
        between=second.encode("ascii"),
        rich=_pieces(text.html) if text.html else (b"",),
        after=_ending(message),
    )


def date_of(now: datetime) -> bytes:
    """Return a moment as the Date header has it."""
    return format_datetime(now).encode("ascii")


def _headers(message: Message, text: Text, options: EmailOptions) -> bytes:
    drill = message.drill
    chain = f"<chain.{message.chain_id}@{options.domain}>"
    fields = [
        ("From", f"{_phrase(options.sender_name[:_NAME_MAX])} <{options.sender}>"),
        ("Subject", _words(text.subject or text.text.partition("\n")[0])),
        (
            "List-Id",
            f"{_phrase(options.sender_name[:_NAME_MAX])} <{'drills' if drill else 'warnings'}.{options.domain}>",
        ),
        ("References", chain),  # Mail programs show what shares a reference as one conversation.
        *([("In-Reply-To", chain)] if message.seq > 1 else []),
        *([("Reply-To", f"<{options.bounce_address}>")] if options.bounce_address and options.reads_bounces else []),
        ("Auto-Submitted", "auto-generated"),  # RFC 3834 §5: so that no machine answers.
        ("X-Auto-Response-Suppress", "OOF, AutoReply"),  # The same for Exchange.
        *(_URGENT if message.level is Level.RED and message.kind == "warning" and not drill else []),
        ("Content-Language", _token(text.lang) or "zh"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/mixed; boundary="{_MIXED}"'),
    ]
    return "".join(f"{name}: {value}\r\n" for name, value in fields).encode("ascii") + b"\r\n"


_URGENT = [("X-Priority", "1 (Highest)"), ("Importance", "high"), ("Priority", "urgent")]


def _phrase(value: str) -> str:
    """Return a name beside an address: plain, quoted, or as encoded words (RFC 5322 §3.2.5, RFC 2047)."""
    shown = _one_line(value)
    if not shown.isascii() or "=?" in shown:
        return _encoded(shown)
    return shown if shown.replace(" ", "").isalnum() else '"{}"'.format(shown.replace("\\", "").replace('"', ""))


def _words(value: str) -> str:
    """Return a subject, folded, as encoded words where it needs them."""
    shown = _one_line(value)
    if not shown.isascii() or "=?" in shown:
        return _encoded(shown)
    return Header(shown, "us-ascii", maxlinelen=_HEADER_LINE, header_name="Subject").encode(linesep="\r\n")


def _encoded(shown: str) -> str:
    return Header(shown, "utf-8", maxlinelen=_HEADER_LINE, header_name="Subject").encode(linesep="\r\n")


def _one_line(value: str) -> str:
    """Return a value without any control character: none may end a header and begin another."""
    shown = "".join(each if each.isprintable() else " " for each in value)
    return " ".join(shown.split())


def _token(value: str) -> str:
    return value if value.isascii() and value.translate(_ID_MARKS).isalnum() else ""


def _pieces(text: str) -> tuple[bytes, ...]:
    return tuple(_quoted(piece) for piece in text.split(ANSWER_LINK))


def _joined(pieces: Sequence[bytes], link: str) -> bytes:
    if len(pieces) == 1:
        return pieces[0]
    return (_SOFT_BREAK + _quoted(link) + _SOFT_BREAK).join(pieces)


def _quoted(text: str) -> bytes:
    """Return quoted-printable lines that may stand anywhere in a body, because they begin at a line's start."""
    lines = "\n".join(text.splitlines()) + ("\n" if text.endswith("\n") else "")
    coded = binascii.b2a_qp(lines.encode("utf-8", "replace"), istext=True)
    whole = coded.replace(b"\n", b"\r\n")
    return (b"." + whole if whole.startswith(b".") else whole).replace(b"\r\n.", b"\r\n..")


def _ending(message: Message) -> bytes:
    end = f"\r\n--{_ALTERNATIVE}--\r\n"
    if message.document:
        name = f"{_token(message.id) or 'warning'}.cap.xml"
        coded = encodebytes(message.document).decode("ascii").replace("\n", "\r\n")
        end += (
            f'--{_MIXED}\r\nContent-Type: application/cap+xml; charset=utf-8; name="{name}"\r\n'
            f'Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename="{name}"\r\n\r\n{coded}'
        )
    return f"{end}--{_MIXED}--\r\n.\r\n".encode("ascii")
