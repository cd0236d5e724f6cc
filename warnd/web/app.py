"""Puts the web together: the API, the public site, what channels want called back, health."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from warnd.bell import Bell
from warnd.channel import Channel
from warnd.clock import Clock
from warnd.ledger.store import Ledger
from warnd.model.documents import Outlook
from warnd.resources import shipped
from warnd.web import connections, terminals, warnings
from warnd.web.answering import Answering, Links
from warnd.web.audio import Recordings
from warnd.web.body import BodyLimit
from warnd.web.cached import Endpoint, open_to_all
from warnd.web.callbacks import Callbacks
from warnd.web.desk import Desk
from warnd.web.display import Boards
from warnd.web.docs import OPENAPI, Docs
from warnd.web.doors import Doors, Node
from warnd.web.feeds import Feeds
from warnd.web.headers import SecurityHeaders
from warnd.web.health import Metrics, healthz, readyz
from warnd.web.news import News, sign_of_life
from warnd.web.pages import Pages
from warnd.web.places import Places
from warnd.web.problems import Errors, documented
from warnd.web.push import Push, Subscribing
from warnd.web.sheets import Sheets
from warnd.web.site import Site
from warnd.web.sse import Streams

API_STREAMS = 64
SITE_STREAMS_MAX = 2_000  # And never more than half of the connections, so that pages are still served beside them.
SITE_STREAMS_EACH = 16  # From one address at least, however few there may be; a quarter of all at most.
_DESCRIPTION = (
    "Brings approved CAP warnings in and shows which villages have heard them. Every refusal is a problem document (RFC 9457) "
    "whose reasons say what is wrong, where, and what to do. Times are RFC 3339 in UTC."
)


def create_app(
    *,
    ledger: Ledger,
    desk: Desk,
    clock: Clock,
    bell: Bell,
    node: Node,
    public_url: str,
    registry: CollectorRegistry,
    channels: Sequence[Channel] = (),
    problems: Callable[[], Sequence[str]] = tuple,
    outlook: Callable[[str], Outlook | None] = lambda _warning: None,
    degraded: Callable[[], Sequence[str]] = tuple,
    links: Links | None = None,
    push: Push | None = None,
    site: bool = True,
    sender_names: Mapping[str, str] | None = None,
    templates: Path | None = None,
) -> FastAPI:
    """Return the whole web of one daemon.

    Args:
        ledger: Read, and written only by browsers that subscribe.
        desk: Decides about what comes in.
        clock: Says what is in force now.
        bell: Rung after every commit that a page might show.
        node: Whom the daemon speaks for.
        public_url: As people see it, for links in the feed.
        registry: Whose numbers `/metrics` gives.
        channels: Their callback endpoints are mounted, their problems shown by `/readyz`.
        problems: What keeps the daemon's other parts from working, each as "part: what is wrong and what to do".
        outlook: When what waits of a warning will have gone out.
        degraded: What fails in them although they work, in the same form.
        links: What answer links are checked with; None = there are none.
        push: What browsers subscribe with; None = they cannot.
        site: False = there is no public site; the API stays.
        sender_names: CAP sender -> its name for people, where a document gives none.
        templates: The folder with `web/` in it; None = the one that ships with warnd.
    """
    folder = (templates or shipped("templates")) / "web"
    sheets = Sheets(folder, node=node, public_url=public_url, push=push is not None)
    app = _Application(
        title="warnd",
        version=version("warnd"),
        description=_DESCRIPTION,
        openapi_url=OPENAPI,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[Middleware(BodyLimit)],
    )
    open_pages = min(SITE_STREAMS_MAX, connections.most() // 2)
    app.state.doors = Doors(
        ledger=ledger,
        desk=desk,
        clock=clock,
        bell=bell,
        node=node,
        channels=channels,
        problems=problems,
        outlook=outlook,
        degraded=degraded,
        public_url=public_url.rstrip("/"),
        api_streams=Streams(most=API_STREAMS, bell=bell, clock=clock),
        site_streams=Streams(
            most=open_pages,
            bell=bell,
            clock=clock,
            heartbeat=sign_of_life(clock),
            most_each=max(SITE_STREAMS_EACH, open_pages // 4),
        ),
    )
    shown = Site(ledger=ledger, clock=clock, bell=bell)
    places = Places(ledger=ledger, clock=clock, jurisdiction=node.jurisdiction)
    pages = Pages(site=shown, places=places, sheets=sheets, sender_names=sender_names or {})
    called_back = [route for channel in channels for route in channel.routes()]
    app.stand_behind(called_back, errors=Errors(app, page=pages.error), https=public_url.startswith("https:"))
    app.router.routes.extend(called_back)
    app.include_router(warnings.router)
    app.include_router(terminals.router)
    app.openapi = documented(app)  # type: ignore[method-assign] # FastAPI's own way to change the document
    app.router.routes.extend(
        [
            Route("/api/docs", Docs(app, folder).show),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", Metrics(registry).show),
            Route("/static/{name}", pages.static),
            Recordings(ledger, clock).route(),
            *(Answering(links, clock=clock, pages=pages, sheets=sheets).routes() if links is not None else ()),
            *(Subscribing(push, monotonic=clock.monotonic).routes() if push is not None and site else ()),
            *(_public(pages, site=shown, places=places, sheets=sheets) if site else ()),
        ]
    )
    return app


class _Application(FastAPI):
    """FastAPI behind the callbacks, and behind the headers: the answer to a crash is made outside of all middleware given the usual way."""

    def stand_behind(self, called_back: Sequence[BaseRoute], *, errors: Errors, https: bool) -> None:
        """Put them in front."""
        self._guard = partial(SecurityHeaders, https=https)
        self._callbacks = Callbacks(called_back, answer=errors.answer, guard=self._guard)

    def build_middleware_stack(self) -> ASGIApp:
        """Return everything else."""
        return self._guard(super().build_middleware_stack())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        scope["app"] = self
        if not await self._callbacks.answered(scope, receive, send):
            await super().__call__(scope, receive, send)


def _public(pages: Pages, *, site: Site, places: Places, sheets: Sheets) -> list[Route]:
    feeds = Feeds(site=site, places=places, sheets=sheets, pages=pages)
    news = News(site=site, places=places, pages=pages)
    boards = Boards(site=site, places=places, sheets=sheets, pages=pages)
    return [
        Route("/", pages.index),
        Route("/w/{id}", pages.warning),
        Route("/p", pages.places),
        _for_programs("/p/{code}.json", feeds.place_json),
        Route("/p/{code}", pages.place),
        Route("/display/{code}", boards.show),
        _for_programs("/feed/cap.atom", feeds.atom),
        _for_programs("/feed/warnings.json", feeds.json),
        _for_programs("/feed/{code}.atom", feeds.place_atom),
        _for_programs("/feed/{id}.xml", pages.document),
        _for_programs("/events", news.events),
    ]


def _for_programs(path: str, endpoint: Endpoint) -> Route:
    return Route(path, open_to_all(endpoint), methods=["GET", "OPTIONS"])
