"""A real Chromium subscribes to a place, is pushed a warning that only it can read, shows it, and opens the warning's page.

The browser's own push service is not reachable from a test, so `PushManager.subscribe` is answered with keys of ours, and what the
channel handed to our push service is delivered into the browser through its debugging protocol, as its push service would.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page
from sqlalchemy import Connection, text

from channels.push import build as build_push
from channels.web import build as build_web
from tests.browser.test_accessibility import AXE
from tests.fakes.push import Browser as Subscriber
from tests.fakes.push import push_toml
from tests.fakes.receiver import Receiver, receiver
from tests.fakes.web_centre import Centre, centre, flood
from tests.waiting import until
from warnd.web import bind, serve

VILLAGE = "990101001001"


@dataclass
class Scene:
    """A centre that works, the push service, and the browser's own half of its keys."""

    built: Centre
    url: str
    service: Receiver
    subscriber: Subscriber


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    builds = {"web": build_web, "push": build_push}
    async with (
        receiver() as service,
        centre(tmp_path, more=push_toml(tmp_path), build=builds) as built,
        asyncio.TaskGroup() as group,
    ):
        service.answer(201)
        listening = bind("127.0.0.1", 0)
        started = asyncio.Event()
        serving = group.create_task(serve(built.daemon.app, listening=listening, started=started.set))
        working = [group.create_task(each) for each in _at_work(built)]
        await started.wait()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        yield Scene(built, url, service, Subscriber(f"{service.url}/browser"))
        for task in (*working, serving):
            task.cancel()


def _at_work(built: Centre) -> list[Coroutine[Any, Any, None]]:
    """Return what plans and pushes; the rest of the daemon would race through the hours of a clock that moves when slept on."""
    daemon = built.daemon
    lanes = [lane.run() for lane in daemon.lanes if lane.name == "push"]
    return [daemon.recorder.run(), daemon.planner.run(), daemon.channels["push"].run(daemon.recorder.receipt), *lanes]


_STANDS_IN = """
const given = %s;
const standIn = { endpoint: given.endpoint, toJSON: () => given, unsubscribe: async () => true };
PushManager.prototype.subscribe = async function (options) {
  if (!options.userVisibleOnly || options.applicationServerKey.length !== 65) throw new Error("not as browsers want it");
  return standIn;
};
PushManager.prototype.getSubscription = async () => standIn;
"""


@asynccontextmanager
async def _visiting(browser: Browser, scene: Scene, *, lang: str = "en") -> AsyncIterator[tuple[BrowserContext, Page]]:
    context = await browser.new_context(locale=lang)
    await context.grant_permissions(["notifications"], origin=scene.url)
    await context.add_init_script(_STANDS_IN % json.dumps(scene.subscriber.document))
    page = await context.new_page()
    await page.goto(f"{scene.url}/p/{VILLAGE}?lang={lang}")
    yield context, page
    await context.close()


async def _subscribed(scene: Scene) -> list[tuple[str, str]]:
    def op(conn: Connection) -> list[tuple[str, str]]:
        return [(row.region, row.lang) for row in conn.execute(text("SELECT region, lang FROM subscription"))]

    return await scene.built.ledger.read(op)


async def test_a_browser_subscribes_hears_and_opens_the_warning(browser: Browser, scene: Scene) -> None:
    async with _visiting(browser, scene) as (context, page):
        await page.get_by_role("button", name="Tell me of warnings here").click()
        await page.get_by_text("You will be told.").wait_for()
        assert await _subscribed(scene) == [(VILLAGE, "en")]

        warning_id = await scene.built.release(flood())
        await until(lambda: scene.service.taken)
        said = scene.subscriber.read(scene.service.taken[0])
        await _delivered(context, page, scene, json.dumps(said))
        (worker,) = context.service_workers
        shown = await worker.evaluate(
            "async () => (await self.registration.getNotifications()).map((n) => [n.title, n.body.split('\\n')[0], n.tag, n.lang])"
        )
        assert shown == [["RED Flood warning", "Township 1. Go to high ground now.", warning_id, "en"]]

        opened = await worker.evaluate(
            """async () => {
              const opened = [];
              self.clients.openWindow = async (url) => { opened.push(url); };
              const [notification] = await self.registration.getNotifications();
              const touched = new NotificationEvent("notificationclick", { notification });
              const done = new Promise((resolve) => { touched.waitUntil = resolve; });
              self.dispatchEvent(touched);
              await done.then((working) => working);
              return [opened, (await self.registration.getNotifications()).length];
            }"""
        )
        assert opened == [[f"/w/{warning_id}"], 0]
        await page.goto(f"{scene.url}{opened[0][0]}")
        await page.get_by_role("heading", name="RED").first.wait_for()


async def _delivered(context: BrowserContext, page: Page, scene: Scene, words: str) -> None:
    """Let the browser's push service hand it a message, and wait until it is shown."""
    debugger = await context.new_cdp_session(page)
    registered: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def learn(event: dict[str, Any]) -> None:
        for each in event["registrations"]:
            if not registered.done():
                registered.set_result(each["registrationId"])

    debugger.on("ServiceWorker.workerRegistrationUpdated", learn)
    await debugger.send("ServiceWorker.enable")
    registration = await asyncio.wait_for(registered, 10)
    pushed = {"origin": scene.url, "registrationId": registration, "data": words}
    await debugger.send("ServiceWorker.deliverPushMessage", pushed)
    await page.wait_for_function(
        """async () => {
          const [registration] = await navigator.serviceWorker.getRegistrations();
          return (await registration.getNotifications()).length > 0;
        }"""
    )


async def test_a_browser_that_is_subscribed_knows_it_and_ends_it(browser: Browser, scene: Scene) -> None:
    async with _visiting(browser, scene, lang="zh") as (_, page):
        await page.get_by_role("button", name="接收这里的预警").click()
        await page.get_by_text("已订阅。").wait_for()
        await page.reload()
        await page.get_by_role("button", name="停止接收").wait_for()
        await page.evaluate(AXE)
        found = await page.evaluate("async () => (await axe.run('#subscribe')).violations.map((each) => each.id)")
        assert found == []
        await page.get_by_role("button", name="停止接收").click()
        await page.get_by_text("已停止。").wait_for()
        assert await _subscribed(scene) == []
        await page.get_by_role("button", name="接收这里的预警").wait_for()


async def test_a_browser_that_cannot_is_offered_nothing(browser: Browser, scene: Scene) -> None:
    context = await browser.new_context()
    await context.add_init_script("delete window.PushManager;")
    page = await context.new_page()
    await page.goto(f"{scene.url}/p/{VILLAGE}")
    assert await page.locator("#subscribe").is_hidden()
    await context.close()


async def test_a_centre_that_refuses_is_said_so(browser: Browser, scene: Scene) -> None:
    scene.subscriber.endpoint = "https://elsewhere.example/1"
    async with _visiting(browser, scene) as (_, page):
        button = page.get_by_role("button", name="Tell me of warnings here")
        await button.click()
        await page.get_by_text("That did not work.").wait_for()
        assert await button.is_enabled()
