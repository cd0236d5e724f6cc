"""Delivery reports and answers as mail servers and people write them, and a maildir to put them into."""

from itertools import count
from pathlib import Path

_numbers = count()

CRLF = "\r\n"


def bounce(
    *,
    to: str = "warn@county.example",
    about: str = "li@village.example",
    action: str = "failed",
    status: str = "5.1.1",
    diagnostic: str = "",
    envelope_id: str = "",
    message_id: str = "",
    blocks: int = 1,
) -> bytes:
    """Return a report (RFC 3464) about mail to `about`, addressed to `to`, with the headers of the mail sent back."""
    per_message = [
        "Reporting-MTA: dns; mx.village.example",
        *([f"Original-Envelope-Id: {envelope_id}"] if envelope_id else []),
    ]
    per_recipient = [
        f"Final-Recipient: rfc822; {about}",
        f"Action: {action}",
        f"Status: {status}",
        *([f"Diagnostic-Code: smtp; {diagnostic}"] if diagnostic else []),
    ]
    lines = [
        "From: MAILER-DAEMON@mx.village.example",
        f"To: {to}",
        "Subject: Delivery report",
        "Date: Sun, 22 Nov 2026 08:30:00 +0800",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
        "",
        "--b",
        "Content-Type: text/plain",
        "",
        "This is the mail system.",
        "--b",
        "Content-Type: message/delivery-status",
        "",
        *per_message,
        "",
        *[line for _ in range(blocks) for line in (*per_recipient, "")],
        "--b",
        "Content-Type: text/rfc822-headers",
        "",
        *([f"Message-ID: {message_id}"] if message_id else []),
        "Subject: =?utf-8?b?5rSq5rC0?=",
        "--b--",
        "",
    ]
    return CRLF.join(lines).encode()


def answer(text: str, *, sender: str = "Li <li@village.example>", subject: str = "Re: flood", **headers: str) -> bytes:
    """Return a mail from a person; `headers` are further ones, "_" for "-"."""
    more = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines = [f"From: {sender}", "To: warn@county.example", f"Subject: {subject}", *more]
    lines += [
        "Date: Sun, 22 Nov 2026 08:30:00 +0800",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "",
        text,
    ]
    return CRLF.join(lines).encode()


def put(maildir: Path, raw: bytes) -> Path:
    """Deliver a mail into a maildir as a mail server does."""
    name = f"{next(_numbers)}.mail.mx"
    for folder in ("tmp", "new", "cur"):
        (maildir / folder).mkdir(parents=True, exist_ok=True)
    begun = maildir / "tmp" / name
    begun.write_bytes(raw)
    return begun.rename(maildir / "new" / name)


def put_bounce(maildir: Path, *, to: str, about: str, action: str, status: str) -> Path:
    """Deliver a report into a maildir."""
    return put(maildir, bounce(to=to, about=about, action=action, status=status))
