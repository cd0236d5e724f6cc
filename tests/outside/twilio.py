"""A stand-in for Twilio as somebody would write it from its published pages: it takes messages, posts what became of them, and no more.

It shows no account and no messages: whoever asks for anything but `POST …/Messages.json` is told 404.
"""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Literal
from urllib.parse import parse_qsl

import httpx

ACCOUNT = "AC" + "77" * 16
TOKEN = "outsider's token"
SENDER = "+15005550006"

Fault = Literal["busy", "broken after taking", "silent after taking"]


@dataclass(frozen=True)
class Posted:
    """One message as it was posted, by its SID; `at` is of the monotonic clock."""

    sid: str
    form: Mapping[str, str]
    at: float

    @property
    def callback(self) -> str:
        return self.form["StatusCallback"]


@dataclass
class Twilio:
    """What the account took. `faults` are for the next posts, one each."""

    url: str = ""
    posts: list[Posted] = field(default_factory=list)
    taken: list[Posted] = field(default_factory=list)
    faults: deque[Fault] = field(default_factory=deque)
    silence_ends: threading.Event = field(default_factory=threading.Event)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def to(self, phone: str) -> list[Posted]:
        return [one for one in self.taken if one.form["To"] == phone]

    def take(self, form: Mapping[str, str]) -> tuple[Posted, Fault | None]:
        one = Posted(f"SM{next(self._numbers):032x}", form, time.monotonic())
        fault = self.faults.popleft() if self.faults else None
        self.posts.append(one)
        if fault != "busy":
            self.taken.append(one)
        return one, fault

    def tell(self, one: Posted, status: str, *, signature: str | None = None, **more: str) -> int:
        """Post a message's state to the address that came with it; return the status of the answer."""
        form = {"AccountSid": ACCOUNT, "MessageSid": one.sid, "MessageStatus": status, "To": one.form["To"], **more}
        return post(one.callback, form, signature=signature)


def sign(url: str, form: Mapping[str, str]) -> str:
    """Return X-Twilio-Signature: the address and the sorted fields under HMAC-SHA1."""
    said = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    return base64.b64encode(hmac.digest(TOKEN.encode(), said.encode(), hashlib.sha1)).decode()


def post(url: str, form: Mapping[str, str], *, signature: str | None = None) -> int:
    given = sign(url, form) if signature is None else signature
    headers = {"X-Twilio-Signature": given} if given else {}
    return httpx.post(url, data=dict(form), headers=headers, timeout=15, trust_env=False).status_code


@contextmanager
def twilio() -> Iterator[Twilio]:
    account = Twilio()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Desk", (_Desk,), {"account": account}))
    account.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield account
    finally:
        account.silence_ends.set()
        server.shutdown()
        thread.join(10)
        server.server_close()


class _Desk(BaseHTTPRequestHandler):
    account: Twilio
    protocol_version = "HTTP/1.1"
    timeout = 5

    def do_GET(self) -> None:
        self._answer(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        wanted = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if self.headers.get("Authorization") != wanted:
            self._answer(401, {"code": 20003, "message": "Authenticate", "status": 401})
            return
        if self.path != f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json":
            self._answer(404, {})
            return
        one, fault = self.account.take(dict(parse_qsl(body, keep_blank_values=True)))
        if fault == "busy":
            self._answer(429, {"code": 20429, "message": "Too Many Requests", "status": 429}, retry_after="1")
        elif fault == "broken after taking":
            self._answer(500, {})
        elif fault == "silent after taking":
            self.account.silence_ends.wait(30)
            self.close_connection = True
        else:
            self._answer(201, {"sid": one.sid, "status": "queued", "account_sid": ACCOUNT, "to": one.form["To"]})

    def _answer(self, status: int, document: object, *, retry_after: str | None = None) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""
