"""The README's walk through one village runs as it is written, in both languages, and no page names a command that is not there."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.ports import free_port
from warnd.cli import build

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TOOLS = ("mosquitto", "mosquitto_passwd", "openssl", "curl", "bash")
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin"
# What a reader sees before going on; a shell that is asked again forty times needs no pause.
GONE_OUT = "for try in {1..40}; do warnd explain \"$ID\" officer-1 | grep 'try 1 at' && break; done\n"
ANSWERED = "for try in {1..40}; do warnd explain \"$ID\" officer-1 | grep 'evidence acknowledged' && break; done\n"

needs_tools = pytest.mark.skipif(
    any(shutil.which(tool, path=PATH) is None for tool in TOOLS), reason=f"one of {', '.join(TOOLS)} is not installed"
)


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def walk(page: Path) -> list[str]:
    """The blocks after the two make commands."""
    return [block for block in blocks(page) if not block.startswith("make ")]


@needs_tools
def test_the_walk_runs_as_written(tmp_path: Path) -> None:
    """Only the ports are others, and answer and Cancel wait for what comes before them, as a reader would."""
    *ahead, watch, last = walk(ROOT / "README.md")
    assert "spool/in" in watch
    assert "warnd cancel" in last
    script = "".join([*ahead, GONE_OUT, watch, ANSWERED, last, "kill $(jobs -p)\nwait\n"])
    http, live, drill = (str(free_port()) for _ in range(3))
    script = script.replace("8080", http).replace("8883", live)
    script = script.replace(
        'echo "user', f"sed -i 's/8883/{live}/; s/8884/{drill}/' broker/mosquitto.conf\necho \"user"
    )
    environ = {"HOME": str(tmp_path), "PATH": PATH, "WARND_HTTP__LISTEN": f"127.0.0.1:{http}", "LANG": "C.UTF-8"}
    told = finished(script, environ, timeout_s=90)
    for expected in (
        "Imported regions: 129 new, 0 changed",
        "Imported recipients: 4 new, 0 changed",
        "channels  on: mqtt, sms, web; off: apprise, email, push, webhook",
        '"ready":true',
        "People      1 information_officer",
        "See it go out: warnd status",
        "Villages    1 targeted | 0 confirmed | 1 unconfirmed",
        "白坪村: ",
        "evidence acknowledged",
        "lift of 洪水",
        "cancelled; 1 targeted",
    ):
        assert expected in told
    assert "No such" not in told
    assert "not found" not in told


def finished(script: str, environ: dict[str, str], *, timeout_s: float) -> str:
    """Return what a shell says to the script; nothing that it started is left behind."""
    with subprocess.Popen(
        ["bash", "-c", script],
        cwd=ROOT,
        env=environ,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as shell:
        try:
            return shell.communicate(timeout=timeout_s)[0]
        finally:
            if shell.poll() is None:
                os.killpg(shell.pid, signal.SIGKILL)


def test_both_languages_walk_the_same_way() -> None:
    def bare(page: str) -> list[str]:
        return [re.sub(r" +#.*", "", block) for block in blocks(ROOT / page)]

    assert bare("README.zh-CN.md") == bare("README.md")


def spoken() -> Iterator[tuple[str, list[str]]]:
    """Every `warnd …` in a shell block, with the file it stands in."""
    for page in PAGES:
        for block in blocks(page):
            for line in block.replace("\\\n", " ").splitlines():
                for command in re.findall(r"(?:^|[$(] ?|bin/)warnd ([a-z][^#|<>&;)]*)", line):
                    yield page.name, command.split()


@pytest.mark.parametrize(("page", "words"), [pytest.param(*each, id=f"{each[0]}: {each[1][0]}") for each in spoken()])
def test_every_command_in_the_documentation_is_there_with_its_options(page: str, words: list[str]) -> None:
    del page
    command: Any = typer.main.get_command(build(words))  # Typer keeps a click of its own, under a private name.
    rest = words
    while hasattr(command, "commands"):
        name, *rest = rest
        assert name in command.commands
        command = command.commands[name]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known | {"--help"}


def test_every_link_in_the_documentation_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)", page.read_text("utf-8"))
        if not leads(page, target, anchor)
    ]
    assert broken == []


def leads(page: Path, target: str, anchor: str) -> bool:
    path = page.parent / target if target else page
    return path.exists() and (not anchor or anchor in anchors(path))


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
