"""What the daemon writes about itself carries no phone number, no token, and nothing of what its variables held."""

import io
import json
import logging
from contextlib import redirect_stderr

import pytest
import structlog

from warnd.cli.logs import write_logs
from warnd.settings import Log


@pytest.fixture(autouse=True)
def _logging_as_before() -> object:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


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


@pytest.mark.parametrize("phone", ["13812345621", "+8613812345621"])
def test_a_phone_number_is_masked_wherever_it_stands(phone: str) -> None:
    line = logged(
        Log(), told={"from": phone, "list": [f"call {phone}"]}, cause=f'"from" is {phone}; write it as in "to"'
    )
    assert phone not in line
    assert "*****21" in line


def test_what_only_looks_like_a_number_stays() -> None:
    attempt, code, hashed = "13812345621-7-1", "519999101201", "a13812345621f"
    line = logged(Log(), attempt=attempt, region=code, hash=hashed, at_ms=1795300412110)
    assert all(word in line for word in (attempt, code, hashed, "1795300412110"))


def test_a_token_is_masked() -> None:
    assert "abc-DEF_123" not in logged(Log(), header="Authorization: Bearer abc-DEF_123")


def _broken(token: str) -> None:
    secret = f"held by a variable: {token}"
    raise ValueError(f"no route to +8613812345621 ({len(secret)})")


@pytest.mark.parametrize("settings", [Log(), Log(format="console")])
@pytest.mark.parametrize("library", [False, True])
def test_a_traceback_tells_no_variables(settings: Log, *, library: bool) -> None:
    out = io.StringIO()
    with redirect_stderr(out):
        write_logs(settings)
        token = f"tok-{47}11"
        try:
            _broken(token)
        except ValueError:
            (logging.getLogger("a.library") if library else structlog.get_logger("test")).exception("it broke")
    line = out.getvalue()
    assert "ValueError" in line
    assert "_broken" in line
    assert "tok-4711" not in line
    assert "3812345621" not in line


def test_a_library_writes_one_line_in_the_same_format_and_only_what_matters() -> None:
    out = io.StringIO()
    with redirect_stderr(out):
        write_logs(Log(level="debug"))
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
        logging.getLogger("a.library").info("chatter")
        logging.getLogger("a.library").warning("the broker is %s", "slow")
    (line,) = out.getvalue().splitlines()
    assert json.loads(line)["event"] == "the broker is slow"
