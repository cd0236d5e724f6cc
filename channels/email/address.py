"""Mail addresses: which can be written to, and how they stand in commands. Never lets a control character through."""

import re
from dataclasses import dataclass

_ATOM = r"[^\s@,;:<>()\[\]\\\"\x00-\x1f\x7f]"
_ADDRESS = re.compile(rf"({_ATOM}{{1,64}})@({_ATOM}{{1,253}})")
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
_LENGTH_MAX = 254  # RFC 5321 §4.5.3.1.3, without the brackets.


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address, ready for a command.

    Attributes:
        wire: As in RCPT and To; the domain is ASCII.
        international: True when its local part is not ASCII, which only SMTPUTF8 carries (RFC 6531).
    """

    wire: str
    international: bool

    @property
    def orcpt(self) -> str | None:
        """The ORCPT value (RFC 3461 §4.2), in xtext; None where it has no plain form."""
        if self.international:
            return None
        return "rfc822;" + "".join(f"+{ord(each):02X}" if each in "+=" else each for each in self.wire)


def mailbox(address: str) -> Mailbox | str:
    """Return the address ready for use, or why it cannot be used.

    A domain in other letters goes as IDNA, which every server carries; a local part in other letters needs SMTPUTF8.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return "no mail address" if address else "no mail address is given"
    local, domain = found[1], found[2]
    try:
        host = domain if domain.isascii() else domain.encode("idna").decode("ascii")
        local.encode("utf-8")
    except UnicodeError:
        return "the domain cannot be written as IDNA"
    whole = f"{local}@{host}"
    if not _HOST.fullmatch(host) or len(whole.encode()) > _LENGTH_MAX:
        return "no mail address"
    if not local.isprintable():
        return "no mail address"
    return Mailbox(whole, international=not local.isascii())
