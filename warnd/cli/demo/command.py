"""`warnd demo`: one command that shows a warning reach every village, without root, account or real phones."""

import asyncio
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import structlog
import typer

from warnd.cli.demo.broker import which_broker
from warnd.cli.demo.child import free_port
from warnd.cli.demo.show import Show, show
from warnd.cli.demo.stage import set_stage
from warnd.cli.demo.story import Play, perform
from warnd.cli.output import warn
from warnd.cli.stop import Exit, Stop
from warnd.clock import SystemClock

Once = Annotated[
    bool, typer.Option("--once", help="End by itself; exit 0 only if every village is accounted for truly.")
]
Kind = Annotated[
    Literal["mosquitto", "iotcore"] | None,
    typer.Option("--broker", help="The broker to use; else mosquitto if it is installed."),
]


def demo(*, once: Once = False, broker: Kind = None) -> None:
    """Release a flood warning in an invented county and watch it reach every village."""
    kind = broker or which_broker()
    folder = _folder()
    try:
        code = asyncio.run(_perform(folder, once=once, broker=kind))
    except Stop:
        warn(f"What the parts wrote is kept in {folder}.")
        raise
    except OSError as error:
        raise Stop(f"The demonstration cannot work in {folder}: {error}", code=Exit.UNREACHABLE) from error
    if code is Exit.FINE:
        shutil.rmtree(folder)
    else:
        warn(f"What the parts wrote is kept in {folder}.")
    raise typer.Exit(code)


def _folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="warnd-demo-"))
    except OSError as error:
        raise Stop(
            f"There is no place for temporary files: {error}. Set TMPDIR to a folder.", code=Exit.UNREACHABLE
        ) from error


async def _perform(folder: Path, *, once: bool, broker: str) -> Exit:
    """Perform until the end or until somebody asks it to stop; everything it started is gone when this returns."""
    with show() as shown, (folder / "terminals.log").open("w", encoding="utf-8") as log:
        asked_to_stop = _cancel_on_signals(shown)
        structlog.configure(
            logger_factory=structlog.WriteLoggerFactory(log)
        )  # Loudspeakers log; the picture is for people.
        stage = set_stage(folder, http_port=free_port())
        county = stage.county
        shown.say(
            f"{county.county.name_en}, invented: {len(county.townships)} townships, {len(county.villages)} villages, "
            f"{len(stage.speaker_keys)} loudspeakers, {len(stage.people):,} people and households."
        )
        try:
            return await perform(Play(stage, shown, SystemClock(), once=once, broker=broker))
        except asyncio.CancelledError:
            if not asked_to_stop.is_set():
                raise
            return Exit.NO if once else Exit.FINE


def _cancel_on_signals(shown: Show) -> asyncio.Event:
    """Cancel the calling task at the first Ctrl-C or SIGTERM. A second one changes nothing: the parts are being ended by then."""
    asked = asyncio.Event()
    task = asyncio.current_task()
    assert task is not None

    def stop() -> None:
        if not asked.is_set():
            asked.set()
            shown.say("Stopping.")
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    return asked
