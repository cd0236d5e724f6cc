"""A mail server as a small village would have it: plain SMTP (RFC 5321) without TLS, every mail kept, some recipients unknown."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

UNKNOWN = "nobody"
"""Mail to this name is refused for good, whatever the domain."""


@dataclass(frozen=True)
class Mail:
    """One mail as it came in."""

    sender: str
    recipient: str
    raw: bytes

    @property
    def parsed(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)

    def part(self, kind: str) -> str:
        """Return the text of its one part of a kind."""
        (found,) = [part for part in self.parsed.walk() if part.get_content_type() == kind]
        content = found.get_content()
        return content.decode() if isinstance(content, bytes) else str(content)


@dataclass
class Mailbox:
    """What came in, and the commands that were heard."""

    port: int = 0
    mails: list[Mail] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)

    def to(self, address: str) -> list[Mail]:
        return [mail for mail in self.mails if mail.recipient == address]


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    with _Server(("127.0.0.1", 0), type("Desk", (_Desk,), {"box": box})) as server:
        box.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield box
        finally:
            server.shutdown()
            thread.join(10)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class _Desk(socketserver.StreamRequestHandler):
    box: Mailbox
    timeout = 60

    def handle(self) -> None:
        self._say("220 post.village.example ESMTP")
        sender = recipient = ""
        while line := self.rfile.readline():
            text = line.decode().rstrip("\r\n")
            verb = text[:4].upper()
            self.box.heard.append(verb)
            if verb == "EHLO":
                self._say("250-post.village.example\r\n250 SIZE 10000000")
            elif verb == "MAIL":
                sender = _address(text)
                self._say("250 OK")
            elif verb == "RCPT":
                recipient = _address(text)
                self._say("550 5.1.1 No such user" if recipient.startswith(UNKNOWN) else "250 OK")
            elif verb == "DATA":
                self._say("354 Go on")
                self.box.mails.append(Mail(sender, recipient, self._text()))
                self._say("250 OK")
            elif verb == "QUIT":
                self._say("221 Bye")
                return
            else:
                self._say("250 OK" if verb == "RSET" else "502 Not here")

    def _text(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


def _address(text: str) -> str:
    return text[text.index("<") + 1 : text.index(">")]
