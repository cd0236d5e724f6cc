"""The other side of the email channel: a mail server that keeps what it takes, and a maildir into which it delivers bounces."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path

from tests.contract.harness import Fault, OtherSide
from tests.fakes.email_bounces import put_bounce
from tests.fakes.email_server import PASSWORD, USER, Server, always, hanging, running_server
from warnd.channel import Message, Outgoing, Receipt, Report, Text
from warnd.model.evidence import Evidence

DRILL_MARK = "【演练】"
SECRET = "a secret for the tests of bounces"


def harness() -> "Harness":
    """Return the harness of this channel."""
    return Harness()


class Harness:
    """Starts one."""

    def start(self, folder: Path) -> AbstractAsyncContextManager[OtherSide]:
        """See `tests.contract.harness`."""
        return _started(folder)


@asynccontextmanager
async def _started(folder: Path) -> AsyncIterator[OtherSide]:
    async with running_server(folder) as server:
        yield MailSide(server, folder)


def settings(server: Server, folder: Path, *, timeout_s: float = 1.0, connections: int = 4) -> str:
    """Return `[email]` for a server of `running_server`, its bounces in `folder`'s maildir."""
    (folder / "password").write_text(PASSWORD, "utf-8")
    (folder / "secret").write_text(SECRET)
    (folder / "bounces" / "new").mkdir(parents=True, exist_ok=True)
    lines = [
        "[email]",
        'host = "127.0.0.1"',
        f"port = {server.port}",
        f"start_tls = {str(server.tls and not server.implicit).lower()}",
        f"implicit_tls = {str(server.implicit).lower()}",
        *(['ca_file = "ca.crt"'] if server.tls or server.implicit else []),
        *([f'username = "{USER}"', 'password_file = "password"'] if server.login else []),
        'sender = "warn@county.example"',
        'sender_name = "清河县预警中心"',
        f"connections = {connections}",
        f"timeout_s = {timeout_s}",
        'bounce_address = "bounce@county.example"',
        'bounce_secret_file = "secret"',
        'bounce_maildir = "bounces"',
    ]
    return "\n".join(lines) + "\n"


class MailSide:
    """See `OtherSide`. Drills go to the same mailboxes; only their mark tells them apart."""

    faults: frozenset[Fault] = frozenset({"refuse", "hang", "die"})
    drills = True
    receipts = True

    def __init__(self, server: Server, folder: Path) -> None:
        self.toml = settings(server, folder)
        self.terminal_keys: dict[str, bytes] = {}
        self._server = server
        self._bounces = folder / "bounces"
        self._boxes = count()

    def outgoing(self, attempt: str, message: Message) -> Outgoing:
        """Write to a mailbox of its own for each attempt; its local part tells which message it was."""
        mark = DRILL_MARK if message.drill else ""
        text = Text("zh", f"{mark}洪水红色预警。", subject=f"{mark}洪水红色预警")
        address = f"{message.id}+{next(self._boxes)}@village.example"
        return Outgoing(attempt, message, "officer", address, (text,))

    async def heard(self, *, drill: bool = False) -> tuple[str, ...]:
        """Read the mails that were taken."""
        taken = [one for one in self._server.taken if one.mail["Subject"].startswith(DRILL_MARK) == drill]
        return tuple(one.recipient.partition("+")[0] for one in taken)

    def announce(self, message_id: str) -> None:
        """Fail: there is no public site here."""
        raise AssertionError(f"the email channel announced {message_id}")

    async def accept(self) -> None:
        """Take everything again."""
        self._server.faults.clear()
        await self._server.stop()  # Whatever hangs in an open connection ends with it.
        await self._server.start()

    async def refuse(self) -> None:
        """Answer each recipient with a refusal for now."""
        self._server.faults["RCPT"] = always("451 4.3.0 Try again")

    async def hang(self) -> None:
        """Answer no recipient."""
        self._server.faults["RCPT"] = hanging()

    async def die(self) -> None:
        """Be gone."""
        await self._server.stop()

    async def give_receipt(self, outgoing: Outgoing) -> None:
        """Return a notice of arrival to the address that the mail came from."""
        sender = next(one.sender for one in self._server.taken if outgoing.message.id in one.recipient)
        put_bounce(self._bounces, to=sender, about=outgoing.address, action="delivered", status="2.0.0")

    def is_receipt_for(self, receipt: Receipt, outgoing: Outgoing) -> bool:
        """Tell by the attempt."""
        match receipt:
            case Report(attempt=attempt, evidence=evidence):
                return attempt == outgoing.attempt and evidence is Evidence.DELIVERED
        return False
