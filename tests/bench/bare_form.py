"""What a script would answer callbacks with: one Starlette route that reads a form. Run as a program, it prints its port."""

import asyncio
import socket

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def _take(request: Request) -> Response:
    form = await request.form()
    return Response(status_code=204 if form.get("MessageStatus") else 400)


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(listening.getsockname()[1], flush=True)  # noqa: T201 - whoever started it waits for the number
    app = Starlette(routes=[Route("/receipts/twilio/status", _take, methods=["POST"])])
    # The parser that warnd serves with: what is measured is what each does with a request, not who reads its head faster.
    config = uvicorn.Config(app, http="h11", log_config=None, access_log=False, lifespan="off", ws="none")
    asyncio.run(uvicorn.Server(config).serve(sockets=[listening]))
