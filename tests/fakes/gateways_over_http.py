"""Two gateways as their providers would run them, on a real port: a cloud one and a village's modem box.

They keep what they took, and can be made to misbehave. They share no code with the adapter: what they check, they check from the wire.
"""

import asyncio
import hashlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl

from aiohttp import web

from warnd.resources import shipped

TOKEN = "f00dfeedf00dfeedf00d"
Mischief = Literal["refuse", "throttle", "break", "garble", "gbk", "hang", "reset", "slow"]


@dataclass
class Taken:
    """One text for one number, as the gateway understood it."""

    number: str
    text: str
    id: str


@dataclass
class Box:
    """What all of them have: a port that can be opened and closed, a mischief, and what was taken.

    Attributes:
        calls: How many calls came in, taken or not.
        release: Lets every call go that hangs.
    """

    taken: list[Taken] = field(default_factory=list)
    calls: int = 0
    mischief: Mischief | None = None
    port: int = 0
    release: asyncio.Event = field(default_factory=asyncio.Event)
    tls: ssl.SSLContext | None = None
    _site: web.TCPSite | None = None
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def routes(self) -> list[web.RouteDef]:
        """Return its endpoints."""
        raise AssertionError("each gateway has its own")

    async def open(self) -> None:
        """Listen, on the port it had before."""
        if self._site is not None:
            return
        application = web.Application()
        application.add_routes(self.routes())
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True, ssl_context=self.tls)
        await self._site.start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Be gone."""
        self.release.set()
        if self._runner is not None:
            await self._runner.cleanup()
        self._site = self._runner = None
        self.release = asyncio.Event()

    async def misbehave(self, request: web.Request) -> web.StreamResponse | None:
        """Do what it was told to do wrong; None if nothing."""
        self.calls += 1
        match self.mischief:
            case "throttle" | "break" | "garble" | "gbk":
                return _wrong(self.mischief)
            case "reset":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case "hang" | "slow":
                await self.release.wait()
                return web.Response(status=503) if self.mischief == "hang" else None
        return None


def _wrong(mischief: str) -> web.Response:
    return {
        "throttle": web.Response(status=429, headers={"Retry-After": "7"}, text="slow down"),
        "break": web.Response(status=500, text="<html>oops</html>"),
        "garble": web.Response(text="\x00 nobody knows"),
        "gbk": web.Response(body='{"code":"999","msg":"系统忙"}'.encode("gbk"), content_type="application/json"),
    }[mischief]


@dataclass
class Cloud(Box):
    """Takes up to 1,000 numbers in one signed call; answers which it refused.

    Attributes:
        refused: Numbers it takes no texts for, with their codes.
        spoilt_by: A number that makes it refuse the whole call it stands in.
    """

    account: str = "county"
    password: str = "p&ss=word"
    refused: dict[str, str] = field(default_factory=dict)
    spoilt_by: str | None = None
    batches: list[list[str]] = field(default_factory=list)

    def routes(self) -> list[web.RouteDef]:
        """Return its endpoints."""
        return [web.post("/v2/batch", self._batch), web.post("/v2/balance", self._balance)]

    async def _batch(self, request: web.Request) -> web.StreamResponse:
        if (wrong := await self.misbehave(request)) is not None:
            return wrong
        told = await request.json()
        if self.mischief == "refuse" or not self._signed(told):
            return web.json_response({"code": "102", "msg": "wrong password"})
        numbers = told["mobiles"].split(",")
        if self.spoilt_by in numbers:
            return web.json_response({"code": "107", "msg": "bad number"})
        self.batches.append(numbers)
        batch = f"b{len(self.batches)}"
        self.taken += [Taken(number, told["content"], batch) for number in numbers if number not in self.refused]
        refused = [{"mobile": one, "code": self.refused[one], "msg": "no"} for one in numbers if one in self.refused]
        return web.json_response({"code": "0", "msg": "ok", "batchId": batch, "refused": refused})

    async def _balance(self, request: web.Request) -> web.StreamResponse:
        told = await request.json()
        code = "0" if self._signed(told) else "102"
        return web.json_response({"code": code, "balance": "81200 parts left"})

    def _signed(self, told: dict[str, Any]) -> bool:
        said = f"{self.account}{self.password}{told['stamp']}".encode()
        return bool(told["sign"] == hashlib.md5(said, usedforsecurity=False).hexdigest())


@dataclass
class Modem(Box):
    """Takes one text in one call under the caller's own id; keeps reports and messages until asked."""

    key: str = "modem key"
    reports: list[dict[str, Any]] = field(default_factory=list)
    inbox: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0
    hands_out_nothing: bool = False

    def routes(self) -> list[web.RouteDef]:
        """Return its endpoints."""
        return [
            web.post("/api/messages", self._send),
            web.get("/api/messages/{id}", self._look_up),
            web.get("/api/reports", self._listing(lambda: self.reports, "reports")),
            web.get("/api/inbox", self._listing(lambda: self.inbox, "messages")),
            web.get("/api/modem", self._modem),
        ]

    async def _send(self, request: web.Request) -> web.StreamResponse:
        if (wrong := await self.misbehave(request)) is not None:
            return wrong
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            return web.json_response({"error": "unauthorized"}, status=401)
        told = await request.json()
        if self.mischief == "refuse":
            return web.json_response({"id": told["id"], "state": "no_credit", "error": "the card is empty"}, status=402)
        assert isinstance(told["valid_s"], int)
        if all(one.id != told["id"] for one in self.taken):
            self.taken.append(Taken(told["to"], told["text"], told["id"]))
        return web.json_response({"id": told["id"], "state": "queued"}, status=202)

    async def _look_up(self, request: web.Request) -> web.StreamResponse:
        known = any(one.id == request.match_info["id"] for one in self.taken)
        return web.json_response(
            {"state": "sent"} if known else {"error": "no such message"}, status=200 if known else 404
        )

    def _listing(
        self, kept: Callable[[], list[dict[str, Any]]], key: str
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            self.asked += 1
            if self.hands_out_nothing:
                return web.Response(status=500)
            after = int(request.query.get("after") or 0)
            return web.json_response({"next": str(len(kept())), key: kept()[after:]})

        return answer

    async def _modem(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"modem": "ready", "network": "registered, signal 21"})


@dataclass
class Old(Box):
    """Takes one text in the query of a GET, in GBK, and answers in plain text: "0,<id>" or "<code>,<words>"."""

    def routes(self) -> list[web.RouteDef]:
        """Return its endpoint."""
        return [web.get("/sms.asp", self._send)]

    async def _send(self, request: web.Request) -> web.StreamResponse:
        if (wrong := await self.misbehave(request)) is not None:
            return wrong
        told = dict(parse_qsl(request.rel_url.raw_query_string, encoding="gbk"))
        if told["pw"] != "secret":
            return web.Response(body="-1,密码错误".encode("gbk"))
        self.taken.append(Taken(told["to"], told["msg"], f"t{self.calls}"))
        return web.Response(text=f"0,t{self.calls}")


@asynccontextmanager
async def open_box(box: Box) -> AsyncIterator[Box]:
    """Keep it open for as long as the block lasts."""
    await box.open()
    try:
        yield box
    finally:
        await box.close()


def as_json(value: object) -> bytes:
    """Return what a gateway pushes."""
    return json.dumps(value, ensure_ascii=False).encode()


def cloud_toml(cloud: Cloud, folder: Path, **changes: str) -> str:
    """Return the shipped example with this gateway's address and account, and little patience."""
    for name, secret in {"account": cloud.account, "password": cloud.password, "push-token": TOKEN}.items():
        (folder / f"gateway-{name}").write_text(f"{secret}\n")
    example = (shipped("config") / "gateways" / "cloud.toml").read_text("utf-8")
    example = example.replace("https://sms.cloud.example", cloud.url).replace(
        "calls = 4", "calls = 4\ntimeout_s = 0.5\nwatch_s = 0.05"
    )
    for old, new in changes.items():
        assert f"{old} = " in example
        example = example.replace(f"{old} = ", f"{old} = {new} # ", 1)
    return example
