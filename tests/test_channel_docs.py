"""The pages about channels: every example of settings is one that warnd takes, and what can be run without a provider runs."""

import base64
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.test_readme import PATH, ROOT, finished, needs_tools
from warnd.model.push import load_vapid_key
from warnd.settings import Settings, load

PAGES = sorted((ROOT / "docs" / "channels").glob("*.md"))
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()  # Good for whatever a page keeps in a file.
SMPP_PASSWORD = "secret"  # Of eight letters at most.
ADDITIONS = ("[sms.http.derived.basic]", '[sms]\nprovider = "smpp"\nfallback')  # To what stands in other examples.


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def examples() -> Iterator[tuple[str, str]]:
    """Every block that holds sections of warnd.toml, with the page it stands on."""
    for page in PAGES:
        for block in blocks(page, "toml"):
            if tomllib.loads(block).keys() <= Settings.model_fields.keys() and not block.startswith(ADDITIONS):
                yield page.name, block


def paths_in(table: dict[str, Any], ending: str) -> Iterator[str]:
    """Every file or folder of the centre's own that some settings name under a key with this ending."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from paths_in(value, ending)
        elif key.endswith(ending) and not Path(value).is_absolute():
            yield value


def test_nearly_every_page_shows_settings() -> None:
    assert {page.name for page in PAGES} - {name for name, _ in examples()} <= {"mqtt.md", "web.md", "sms-http.md"}


@pytest.mark.parametrize(("page", "block"), list(examples()))
def test_the_settings_on_a_page_are_taken(page: str, block: str, tmp_path: Path) -> None:
    del page
    table = tomllib.loads(block)
    for name in paths_in(table, "_file"):
        (tmp_path / name).write_text(SMPP_PASSWORD if name.endswith("smpp-password") else SECRET)
    for name in paths_in(table, "_dir"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    (tmp_path / "warnd.toml").write_text(block)
    assert load(tmp_path / "warnd.toml", {}) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_on_a_page_is_whole(page: Path) -> None:
    for block in blocks(page, "sh"):
        told = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False, timeout=10)
        assert (told.returncode, told.stderr) == (0, "")


@needs_tools
def test_what_needs_no_provider_runs_as_written(tmp_path: Path) -> None:
    """Keys and secrets are made, and a gateway's shipped description passes the check."""
    pages = ROOT / "docs" / "channels"
    key, secret = blocks(pages / "push.md", "sh")[0], blocks(pages / "webhook.md", "sh")[0]
    cloud = blocks(pages / "sms-http.md", "sh")[0]
    assert "warnd check" in cloud
    (tmp_path / "config").symlink_to(ROOT / "config")
    told = finished(
        f"set -e\ncd '{tmp_path}'\n{key}{secret}{cloud}", {"PATH": PATH, "HOME": str(tmp_path)}, timeout_s=60
    )
    assert "channels  on: sms" in told
    load_vapid_key(tmp_path / "vapid.pem")
    Webhook((tmp_path / "board.secret").read_text().strip())
