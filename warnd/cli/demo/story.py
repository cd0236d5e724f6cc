"""The road of one warning through real parts: broker, directory, daemon, loudspeakers, handsets, release, proof.

The daemon is a process of its own, started as an operator starts it, and everything is asked of it over HTTP: nothing here reaches
into it.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from warnd.cli.client import Api, must
from warnd.cli.demo.broker import Broker, running_broker
from warnd.cli.demo.child import Child, finished, running
from warnd.cli.demo.fleet import Fleet
from warnd.cli.demo.flood import freshen
from warnd.cli.demo.mailboxes import Mailboxes
from warnd.cli.demo.phones import handsets, mailboxes
from warnd.cli.demo.show import Show
from warnd.cli.demo.sight import all_confirmed, look, picture, result
from warnd.cli.demo.stage import Stage, flood_document, write_settings
from warnd.cli.stop import Exit, Stop
from warnd.cli.words import named, plain
from warnd.clock import Clock
from warnd.resources import shipped

_SETTLE_S = 80.0  # From the start; what is not settled then will not be. The whole of --once has 90.
_CONNECT_S = 20.0
_LATE_S = 8.0  # After the release the late loudspeakers get their power back.
_LOOK_AGAIN_S = 0.5


@dataclass(frozen=True, slots=True)
class Play:
    """What every scene needs."""

    stage: Stage
    show: Show
    clock: Clock
    once: bool
    broker: str


async def perform(play: Play) -> Exit:
    """Perform the demonstration; returns after the end of `once`, else never.

    Returns:
        FINE if the daemon's word was the truth, NO if not.

    Raises:
        Stop: A part failed; the message names it.
    """
    began = play.clock.monotonic()
    async with (
        running_broker(play.stage.folder / "mqtt", play.stage.passwords, kind=play.broker) as broker,
        mailboxes(play.stage, clock=play.clock) as mail,
    ):
        play.show.say(f"Broker: {broker.kind} on 127.0.0.1:{broker.port}.")
        play.show.say(f"Mail: a server on 127.0.0.1:{mail.port}; {mail.readers} officers answer by the link in it.")
        write_settings(play.stage, mqtt_port=broker.port, mail_port=mail.port)
        token = await _fill_directory(play)
        async with _daemon(play) as daemon, _world(play, broker, daemon, mail) as fleet:
            with Api(play.stage.url, token) as api:
                try:
                    return await _release_and_watch(play, api, fleet, began=began)
                except Stop as trouble:
                    raise await daemon.blame(trouble) from trouble


async def _fill_directory(play: Play) -> str:
    began = play.clock.monotonic()
    await _warnd(play, "import", "regions", str(shipped("config") / "demo" / "regions.geojson"))
    await _warnd(play, "import", "recipients", str(play.stage.recipients_file))
    token = await _warnd(play, "token", "create", "--scope", "release")
    play.show.say(f"Directory: regions, people and loudspeakers imported in {play.clock.monotonic() - began:.1f} s.")
    return token.strip()


def _command(play: Play, *words: str) -> list[str]:
    return [sys.executable, "-m", "warnd", *words, "--config", str(play.stage.settings_file)]


async def _warnd(play: Play, *words: str) -> str:
    return await finished(
        _command(play, *words), log=play.stage.folder / f"{'-'.join(words[:2])}.log", env=_environment()
    )


def _environment() -> dict[str, str]:
    """Return the environment without anybody's own warnd settings, which would win over the demonstration's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("WARND_")}


@asynccontextmanager
async def _daemon(play: Play) -> AsyncIterator[Child]:
    with Api(play.stage.url, None) as api:

        async def ready() -> bool:
            try:
                return (await asyncio.to_thread(api.get, "/readyz")).good
            except Stop:  # It does not listen yet.
                return False

        log = play.stage.folder / "daemon.log"
        async with running("The daemon", _command(play, "serve"), log=log, ready=ready, env=_environment()) as child:
            play.show.say(f"Daemon: ready. Public page: {play.stage.url}/")
            yield child


@asynccontextmanager
async def _world(play: Play, broker: Broker, daemon: Child, mail: Mailboxes) -> AsyncIterator[Fleet]:
    """Run loudspeakers, handsets and mailboxes, and watch the child processes, while the block lasts."""
    fleet = Fleet(play.stage, mqtt_port=broker.port, clock=play.clock)
    parts: dict[str, Coroutine[Any, Any, None]] = {
        "loudspeakers": fleet.run(),
        "handsets": handsets(play.stage, clock=play.clock).run(),
        "mailboxes": mail.run(),
        "broker": broker.child.watch(),
        "daemon": daemon.watch(),
    }
    trouble: Stop | None = None
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part, name=name) for name, part in parts.items()]
            yield fleet
            for task in tasks:
                task.cancel()
    except* Stop as failed:
        trouble = _first(failed)
    if trouble is not None:  # Raised in there, Python 3.11.2 would put it into another group.
        raise trouble


def _first(failed: BaseExceptionGroup[Stop]) -> Stop:
    found = failed.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found


async def _release_and_watch(play: Play, api: Api, fleet: Fleet, *, began: float) -> Exit:
    play.show.say(f"Loudspeakers: {await _online(play, api, fleet)} online, the others have no power.")
    warning = must(
        await asyncio.to_thread(api.post_cap, "/api/v1/warnings", freshen(flood_document(), play.clock.now()))
    )
    play.show.say(f"Released: {named(warning)}", f"  its page: {play.stage.url}/w/{plain(warning['id'])}")
    asyncio.get_running_loop().call_later(_LATE_S, fleet.power_returns)
    return await _watch(play, api, str(warning["id"]), until=began + _SETTLE_S)


async def _online(play: Play, api: Api, fleet: Fleet) -> int:
    """Wait until the daemon has heard from every loudspeaker that has power."""
    until = play.clock.monotonic() + _CONNECT_S
    while True:
        listing = must(await asyncio.to_thread(api.get, "/api/v1/terminals", {"limit": 1000}))
        online = sum(bool(terminal["online"]) for terminal in listing["terminals"])
        if online >= fleet.connecting:
            return online
        if play.clock.monotonic() >= until:
            raise Stop(
                f"Only {online} of {fleet.connecting} loudspeakers reached the daemon within {_CONNECT_S:.0f} s. What they and the "
                f"broker wrote: {play.stage.folder}/terminals.log and mqtt/broker.log",
                code=Exit.UNREACHABLE,
            )
        await play.clock.sleep(_LOOK_AGAIN_S)


async def _watch(play: Play, api: Api, warning_id: str, *, until: float) -> Exit:
    """Look until the daemon's word is the truth, or `until` on the monotonic clock; without `once` go on looking for ever."""
    last_s: float | None = None
    told = False
    while True:
        sight = await look(api, warning_id)
        play.show.picture(picture(sight))
        if last_s is None and all_confirmed(sight, play.stage.cast):
            last_s = sight.elapsed_s
        comparison = sight.beside(play.stage.cast.truth)
        if not told and (not comparison.wrong or play.clock.monotonic() >= until):
            told = True
            play.show.say(*result(sight, comparison, county=play.stage.county, last_s=last_s))
            if play.once:
                return Exit.NO if comparison.wrong else Exit.FINE
            play.show.say(*_invitation(play, api, warning_id))
        await play.clock.sleep(_LOOK_AGAIN_S)


def _invitation(play: Play, api: Api, warning_id: str) -> list[str]:
    return [
        "It goes on until Ctrl-C. Look from another terminal:",
        f"  export WARND_URL={play.stage.url} WARND_TOKEN={api.token}",
        f"  warnd status {plain(warning_id)} --watch",
        f"  warnd coverage {plain(warning_id)}",
    ]
