"""What a mail server's answers mean for a try: one table of RFC 5321 reply codes and RFC 3463 status codes.

Sources: RFC 5321 §4.2.3, RFC 4954 §6 (AUTH), RFC 3463 §3 with the codes that RFC 3886, 4468, 4865, 4954, 5248, 6531, 6710,
7293, 7372, 7504, 7505 and 8616 added ("SMTP Enhanced Status Codes" registry at IANA). A status code that stands here wins over
the reply code before it; one that does not leaves the decision to the reply code, an unknown reply code to its first digit:
4 transient, 5 permanent, anything else ambiguous once the whole mail was sent and transient before.
"""

import re
from dataclasses import dataclass
from typing import Literal

from warnd.channel import Failed, Unknown

Class = Literal["permanent", "transient", "throttled", "ambiguous"]
Step = Literal["session", "sender", "recipient", "mail", "end"]
"""Where a refusal came: before any mail; at MAIL; at RCPT; at DATA before the text; after its last dot."""

_SOON_S, _MINUTES_S, _LONG_S = 60.0, 300.0, 900.0
_ASKED_MOST_S = 1800.0
_REASON_MAX = 160
_STATUS = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)")
_ADDRESS = re.compile(r"[^\s<>\"'(),;:@]+@[^\s<>\"'(),;:@]+")
_ASKED = re.compile(r"(?:in|after|wait)\s+(\d{1,5})\s*(s|m)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fate:
    """What one code means; `after_s` = when a further try has a chance, None = our own back-off decides."""

    kind: Class
    after_s: float | None = None


_NEVER, _LATER = Fate("permanent"), Fate("transient")
_GREY = Fate("transient", _MINUTES_S)  # Greylisting lets the same sender and recipient through after some minutes.
_FULL = Fate("transient", _LONG_S)
_BUSY = Fate("throttled", _SOON_S)  # The server as a whole: no other recipient would fare better.
_OURS = Fate("transient", _SOON_S)  # Our account or settings: an operator mends it, and the warning goes on.

REPLIES: dict[int, Fate] = {
    421: _LATER,  # It closes the connection; another one may be taken.
    432: _OURS,  # A password transition is needed.
    450: _GREY,
    451: _LATER,
    452: _BUSY,  # Insufficient system storage, or too many recipients, of which we send one.
    454: _OURS,  # Temporary authentication failure; TLS not available.
    455: _LATER,
    500: _OURS,
    501: _NEVER,  # Syntax error in the address.
    502: _OURS,
    503: _LATER,  # Bad sequence: the session is out of step, a new one is not.
    504: _OURS,
    521: _NEVER,  # The host takes no mail.
    523: _NEVER,
    525: _OURS,
    530: _OURS,
    534: _OURS,
    535: _OURS,
    538: _OURS,
    550: _NEVER,
    551: _NEVER,
    552: _NEVER,
    553: _NEVER,
    554: _NEVER,
    555: _OURS,  # Parameters not recognised.
    556: _NEVER,  # The domain takes no mail.
}

STATUSES: dict[str, Fate] = {
    "4.0.0": _LATER, "5.0.0": _NEVER,
    # Addresses.
    "4.1.0": _LATER, "5.1.0": _NEVER,
    "4.1.1": _LATER, "5.1.1": _NEVER,  # No such mailbox.
    "4.1.2": _LATER, "5.1.2": _NEVER,  # No such system.
    "4.1.3": _LATER, "5.1.3": _NEVER,
    "4.1.4": _LATER, "5.1.4": _NEVER,
    "4.1.5": _LATER, "5.1.5": _NEVER,
    "4.1.6": _LATER, "5.1.6": _NEVER,  # Moved, no forwarding address.
    "4.1.7": _OURS, "5.1.7": _OURS,  # Our address is misshapen.
    "4.1.8": _OURS, "5.1.8": _OURS,  # Our domain is unknown there.
    "4.1.9": _LATER, "5.1.9": _NEVER,
    "4.1.10": _LATER, "5.1.10": _NEVER,  # The domain takes no mail (null MX).
    # Mailboxes.
    "4.2.0": _GREY, "5.2.0": _NEVER,
    "4.2.1": _GREY, "5.2.1": _NEVER,  # Disabled.
    "4.2.2": _FULL, "5.2.2": _NEVER,  # Full.
    "4.2.3": _NEVER, "5.2.3": _NEVER,  # The mail is too long for it; it will not shrink.
    "4.2.4": _LATER, "5.2.4": _NEVER,
    # The server itself.
    "4.3.0": _LATER, "5.3.0": _NEVER,
    "4.3.1": _BUSY, "5.3.1": _BUSY,  # Its disk is full.
    "4.3.2": _BUSY, "5.3.2": _BUSY,  # Not accepting mail now: shutdown, load.
    "4.3.3": _OURS, "5.3.3": _OURS,
    "4.3.4": _NEVER, "5.3.4": _NEVER,  # The mail is too big.
    "4.3.5": _OURS, "5.3.5": _OURS,  # Misconfigured.
    "4.3.6": _LATER, "5.3.6": _LATER,  # Priority changed; the mail is not refused for good.
    # Network and routing.
    "4.4.0": _LATER, "5.4.0": _NEVER,
    "4.4.1": _LATER, "5.4.1": _NEVER,
    "4.4.2": _LATER, "5.4.2": _LATER,  # Bad connection.
    "4.4.3": _LATER, "5.4.3": _LATER,  # Directory server failure.
    "4.4.4": _LATER, "5.4.4": _NEVER,  # Unable to route.
    "4.4.5": _BUSY, "5.4.5": _BUSY,  # Congestion; at some providers, the day's quota.
    "4.4.6": _NEVER, "5.4.6": _NEVER,  # Routing loop.
    "4.4.7": _LATER, "5.4.7": _NEVER,  # It expired on the way.
    "4.4.8": _LATER, "5.4.8": _NEVER,
    # The protocol.
    "4.5.0": _LATER, "5.5.0": _OURS,
    "4.5.1": _LATER, "5.5.1": _OURS,
    "4.5.2": _LATER, "5.5.2": _OURS,
    "4.5.3": _LATER, "5.5.3": _NEVER,
    "4.5.4": _LATER, "5.5.4": _OURS,
    "4.5.5": _LATER, "5.5.5": _OURS,
    "4.5.6": _LATER, "5.5.6": _OURS,
    # The mail's form.
    "4.6.0": _LATER, "5.6.0": _NEVER,
    "4.6.1": _LATER, "5.6.1": _NEVER,
    "4.6.2": _LATER, "5.6.2": _NEVER,
    "4.6.3": _LATER, "5.6.3": _NEVER,
    "4.6.4": _LATER, "5.6.4": _NEVER,
    "4.6.5": _LATER, "5.6.5": _NEVER,
    "4.6.6": _LATER, "5.6.6": _NEVER,
    "4.6.7": _NEVER, "5.6.7": _NEVER,  # An address in other letters, and no SMTPUTF8 on the way.
    "4.6.8": _NEVER, "5.6.8": _NEVER,
    "4.6.9": _NEVER, "5.6.9": _NEVER,
    "4.6.10": _NEVER, "5.6.10": _NEVER,
    # Policy and security.
    "4.7.0": _LATER, "5.7.0": _NEVER,
    "4.7.1": _GREY, "5.7.1": _NEVER,  # Greylisted; refused by policy.
    "4.7.2": _LATER, "5.7.2": _NEVER,
    "4.7.3": _LATER, "5.7.3": _NEVER,
    "4.7.4": _OURS, "5.7.4": _OURS,
    "4.7.5": _LATER, "5.7.5": _NEVER,
    "4.7.6": _LATER, "5.7.6": _NEVER,
    "4.7.7": _LATER, "5.7.7": _NEVER,
    "4.7.8": _OURS, "5.7.8": _OURS,  # User name or password.
    "4.7.9": _OURS, "5.7.9": _OURS,
    "4.7.10": _OURS, "5.7.10": _OURS,  # Encryption needed.
    "4.7.11": _OURS, "5.7.11": _OURS,
    "4.7.12": _OURS, "5.7.12": _OURS,
    "4.7.13": _OURS, "5.7.13": _OURS,  # Our account is disabled.
    "4.7.14": _OURS, "5.7.14": _OURS,
    "4.7.15": _LATER, "5.7.15": _NEVER,
    "4.7.16": _LATER, "5.7.16": _NEVER,
    "4.7.17": _LATER, "5.7.17": _NEVER,  # The mailbox has another owner now.
    "4.7.18": _LATER, "5.7.18": _NEVER,
    "4.7.19": _LATER, "5.7.19": _NEVER,
    "4.7.20": _OURS, "5.7.20": _OURS,  # DKIM, SPF, reverse DNS and DMARC are ours to mend.
    "4.7.21": _OURS, "5.7.21": _OURS,
    "4.7.22": _OURS, "5.7.22": _OURS,
    "4.7.23": _OURS, "5.7.23": _OURS,
    "4.7.24": _OURS, "5.7.24": _OURS,
    "4.7.25": _OURS, "5.7.25": _OURS,
    "4.7.26": _OURS, "5.7.26": _OURS,
    "4.7.27": _OURS, "5.7.27": _OURS,
    "4.7.28": _BUSY, "5.7.28": _BUSY,  # Mail flood.
    "4.7.29": _OURS, "5.7.29": _OURS,
    "4.7.30": _OURS, "5.7.30": _OURS,
}  # fmt: skip

_ABOUT_THE_MAIL = {"5.3.4", "5.2.3", "5.6.7"}  # Refused at MAIL already, but not for who sends it.


def status_of(text: str) -> str | None:
    """Return the enhanced status code that a reply's text begins with ("5.1.1"), or None."""
    found = _STATUS.match(text.lstrip())
    return found[0] if found else None


def lost_for_good(text: str) -> bool:
    """Say whether a bounce with this status ("5.1.1") means that no further mail can arrive; one that is not in the table does not."""
    status = status_of(text)
    return status is not None and STATUSES.get(status, _LATER).kind == "permanent"


def fate(code: int, text: str, *, step: Step) -> Fate:
    """Return what a reply means where it came.

    Args:
        code: Three digits, or whatever else the server wrote.
        text: What stood after it.
        step: At MAIL, a refusal for good is about our address, not about the recipient's, so it is tried again.
    """
    status = status_of(text)
    known = REPLIES.get(code) or {4: _LATER, 5: _NEVER}.get(code // 100)
    if known is None:
        return Fate("ambiguous") if step == "end" else _LATER
    if status is not None and status[0] == str(code)[0]:
        known = STATUSES.get(status, known)
    if step == "sender" and known.kind == "permanent" and status not in _ABOUT_THE_MAIL and code != 552:  # noqa: PLR2004 - RFC 1870 §6.1
        return _OURS
    return Fate(known.kind, _asked_s(text)) if known is _GREY and _ASKED.search(text) else known


def outcome(code: int, text: str, *, step: Step) -> Failed | Unknown:
    """Return the outcome that a refusal makes of a try; see `fate`."""
    found, said = fate(code, text, step=step), reason(code, text)
    if found.kind == "ambiguous":
        return Unknown(said)
    return Failed(said, retry=found.kind, retry_after_s=found.after_s)


def reason(code: int, text: str) -> str:
    """Return a server's answer on one short line, without the addresses that servers like to repeat: reasons go into the event chain."""
    return f"{code} {anonymous(text)}"[:_REASON_MAX].rstrip()


def anonymous(text: str) -> str:
    """Return a text on one line with "…" in the place of each mail address."""
    words = "".join(each if each.isprintable() else " " for each in text)
    return _ADDRESS.sub("…", " ".join(words.split()))


def _asked_s(text: str) -> float:
    found = _ASKED.search(text)
    assert found, "asked for only where it stands"
    seconds = int(found[1]) * (60 if found[2] in "mM" else 1)
    return min(_ASKED_MOST_S, max(_SOON_S, float(seconds)))
