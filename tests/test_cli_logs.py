"""What the daemon writes about itself carries no phone number."""

import io
import json
from contextlib import redirect_stderr

import pytest
import structlog

from warnd.cli.logs import write_logs
from warnd.settings import Log


@pytest.fixture(autouse=True)
def _logging_as_before() -> object:
    yield
    structlog.reset_defaults()


def logged(settings: Log, **event: object) -> str:
    out = io.StringIO()
    with redirect_stderr(out):
        write_logs(settings)
        log = structlog.get_logger("test")
        log.debug("quiet", **event)
        log.warning("loud", **event)
    return out.getvalue()


def test_phone_numbers_are_masked_and_region_codes_are_not() -> None:
    line = logged(Log(), cause="no route to +8613812345621 or +99910000061", region="990101101201", seq=3)
    event = json.loads(line)
    assert event["cause"] == "no route to +86138*****21 or +999*****61"
    assert event["region"] == "990101101201"
    assert (event["event"], event["level"], event["seq"]) == ("loud", "warning", 3)


def test_the_level_and_the_format_are_the_settings() -> None:
    both = logged(Log(level="debug", format="console"), cause="+8613812345621")
    assert "quiet" in both
    assert "loud" in both
    assert "+8613812345621" not in both
