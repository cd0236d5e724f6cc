"""Prism, which answers and checks requests by Twilio's published API description, trimmed to what warnd calls."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from tests.ports import free_port

_HOME = Path(__file__).parents[2] / ".venv" / "prism" / "node_modules"
_DESCRIPTION = _HOME / "@twilio" / "cli-core" / "src" / "services" / "twilio-api" / "twilio_api_v2010.json"
_PRISM = _HOME / ".bin" / "prism"
_ACCOUNT = "/2010-04-01/Accounts/{Sid}.json"
_MESSAGES = "/2010-04-01/Accounts/{AccountSid}/Messages.json"
_MESSAGE = "/2010-04-01/Accounts/{AccountSid}/Messages/{Sid}.json"
_START_S = 60


@dataclass(frozen=True, slots=True)
class Description:
    """What Twilio publishes about its API, and where prism serves it."""

    url: str
    document: dict[str, Any]

    @property
    def form(self) -> dict[str, dict[str, Any]]:
        """The fields of the form that makes a message."""
        body = self.document["paths"][_MESSAGES]["post"]["requestBody"]["content"]
        fields: dict[str, dict[str, Any]] = body["application/x-www-form-urlencoded"]["schema"]["properties"]
        return fields

    @property
    def statuses(self) -> set[str]:
        """The words for a message's state."""
        return set(self.document["components"]["schemas"]["message_enum_status"]["enum"])


@contextmanager
def described() -> Iterator[Description]:
    """Serve the description on a free loopback port; skip where prism is not installed."""
    if not _PRISM.exists() or shutil.which("node") is None:
        pytest.skip("prism is not installed: run .ci/prism")
    document = _trimmed(json.loads(_DESCRIPTION.read_text("utf-8")))
    port = free_port()
    path = _HOME.parent / f"description-{port}.json"
    path.write_text(json.dumps(document), "utf-8")
    command = [str(_PRISM), "mock", "--host", "127.0.0.1", "--port", str(port), str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        _wait(process)
        yield Description(f"http://127.0.0.1:{port}", document)
    finally:
        process.kill()
        process.communicate()
        path.unlink()


def _wait(process: "subprocess.Popen[str]") -> None:
    """Return when it listens."""
    assert process.stdout is not None
    too_late = Timer(_START_S, process.kill)
    too_late.start()
    told = []
    try:
        for line in process.stdout:
            told.append(line)
            if "is listening" in line:
                return
    finally:
        too_late.cancel()
    raise AssertionError(f"prism did not start: {''.join(told)[-2000:]}")


def _trimmed(document: dict[str, Any]) -> dict[str, Any]:
    """Keep three paths and what they refer to, so that prism starts quickly."""
    paths = {path: document["paths"][path] for path in (_ACCOUNT, _MESSAGES, _MESSAGE)}
    kept: dict[str, Any] = {}
    todo = _names(paths)
    while todo:
        name = todo.pop()
        if name not in kept:
            kept[name] = document["components"]["schemas"][name]
            todo |= _names(kept[name])
    components = {**document["components"], "schemas": kept}
    return {**document, "paths": paths, "components": components}


def _names(part: Any) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"].rpartition("/")[2]} if isinstance(part.get("$ref"), str) else set()
        return own.union(*(_names(inner) for inner in part.values()))
    if isinstance(part, list):
        return set().union(*(_names(inner) for inner in part))
    return set()
