"""A daemon's HTTP face that speaks the contract of DESIGN §10 from canned documents: what the command line is tested against."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    token: str | None
    content_type: str | None
    body: bytes


@dataclass
class FakeApi:
    """Answers by (method, path); a list of answers is used up one by one, its last stays."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: dict[tuple[str, str], list[tuple[int, str]]] = field(default_factory=dict)

    def answer(self, method: str, path: str, *documents: Any, status: int = 200) -> None:
        """Answer this request with these documents, one after the other (text goes out as it is)."""
        texts = [
            each if isinstance(each, str) else json.dumps(each, ensure_ascii=False, indent=1) for each in documents
        ]
        self.answers.setdefault((method, path), []).extend((status, text) for text in texts)

    def take(self, asked: Asked) -> tuple[int, str]:
        """Record a request and return (status, body)."""
        self.asked.append(asked)
        waiting = self.answers.get((asked.method, asked.path))
        if not waiting:
            return 404, json.dumps({"title": "Not Found", "detail": f"nothing at {asked.path}", "status": 404})
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]


@contextmanager
def fake_api() -> Iterator[FakeApi]:
    """Serve on a free loopback port until the block ends."""
    api = FakeApi()

    class Face(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve("GET")

        def do_POST(self) -> None:
            self._serve("POST")

        def _serve(self, method: str) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kind, token = self.headers.get("Content-Type"), self.headers.get("Authorization")
            status, text = api.take(Asked(method, parts.path, query, token, kind, body))
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if status < 400 else "application/problem+json")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
            """Keep the tests' output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Face) as server:
        api.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()
