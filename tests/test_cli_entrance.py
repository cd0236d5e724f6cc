"""The way in: every command is there, only the one asked for is loaded, and whoever errs is told so without a traceback."""

import subprocess
import sys

import pytest

from tests.fakes.command import run

COMMANDS = (
    *("serve", "demo", "check", "import", "preview", "submit", "approve", "reject", "cancel", "status", "coverage"),
    *("explain", "token", "db", "audit", "terminal"),
)
DAEMON_ONLY = {"sqlalchemy", "fastapi", "shapely", "httpx", "lxml", "uvicorn", "jinja2"}


def test_every_command_is_listed_with_its_purpose() -> None:
    ran = run("--help")
    assert ran.code == 0
    for command in COMMANDS:
        line = next(line for line in ran.out.splitlines() if line.split()[:1] == [command])
        assert len(line.split()) > 2


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    ran = run(command, "--help")
    assert ran.code == 0
    assert f"warnd {command}" in ran.out


@pytest.mark.parametrize(
    "words", [("conquer",), ("--conquer",), ("submit",), ("status", "a", "b"), ("token",), ("submit", "--no")]
)
def test_what_is_no_command_line_is_usage(words: tuple[str, ...]) -> None:
    ran = run(*words)
    assert ran.code == 2
    assert "Traceback" not in ran.err


def test_a_loudspeaker_does_not_load_the_daemons_libraries() -> None:
    """60 MB must hold all of it (the issue's Raspberry Pi)."""
    modules = "warnd.cli.terminal, warnd.cli.terminal_run, warnd.cli"
    code = f"import sys, {modules}; warnd.cli.build(['terminal', 'run']); print(*sorted(m.split('.')[0] for m in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert not DAEMON_ONLY & set(loaded.split())


def test_python_m_warnd_is_the_same_program() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "warnd", "status", "a", "b"], capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 2
