"""Watches the account at Twilio: whether it can be reached, and whether it may send. Never sends a text."""

import asyncio
from urllib.parse import urlsplit

import structlog

from channels.sms.twilio import codes
from channels.sms.twilio.link import Link, LinkError, RefusedError, within
from channels.sms.twilio.pause import pause
from warnd.channel import Finding
from warnd.clock import Clock
from warnd.settings.sections.email import loopback

_LOOK_S = 15.0
_LOOK_AGAIN_S = 2.0
_TIMEOUT_S = 10.0
_MISSES = 2  # Looks in a row that must fail: one lost packet does not stop a warning.
_NETWORK = "Check the network, its name service and sms.twilio.base_url"
_MEND = {
    20003: "Correct sms.twilio.account_sid and the token in sms.twilio.auth_token_file",
    20404: "Correct sms.twilio.account_sid",
    20005: "Ask Twilio why, and have it activated",
    20010: "Ask Twilio why, and have it activated",
    30002: "Ask Twilio why, and have it activated",
}
_ASK = "Look at the account in Twilio's console"
_SECURE = "Twilio must reach that address from the Internet, by https"
_NOT_ASKED = "it has not been asked yet. Wait a moment"
_HIDDEN = "it does not show the account"
_INACTIVE = frozenset({"suspended", "closed"})  # All there is beside "active".
_SHOWS_NOTHING = frozenset({404, 405, 429, 501})  # Of HTTP: what stands there may carry texts all the same.

log = structlog.get_logger(__name__)


class Account:
    """What is known of the account."""

    def __init__(self, link: Link, *, public_url: str, clock: Clock) -> None:
        self._link = link
        self._public_url = public_url
        self._clock = clock
        self._trouble: str | None = _NOT_ASKED
        self._refused = False  # A text was, because of the account.
        self._misses = 0
        self._doubt = asyncio.Event()

    def problem(self) -> str | None:
        """Return why no text can leave, or None."""
        return None if self._trouble is None else f"No SMS can leave by Twilio: {self._trouble}."

    def answered(self, code: int | None, *, status: int) -> None:
        """Note a refusal of a text; one that every text would meet stops the others at once."""
        if code in codes.LOCKED_OUT:
            self._refused = True
            self._set(_locked(code, status))
            self._doubt.set()

    def unreachable(self) -> None:
        """Note that a text could not be brought; the next look comes at once."""
        self._doubt.set()

    async def watch(self) -> None:
        """Look at the account now and then until cancelled: often while something is wrong or in doubt."""
        if not self._public_url.startswith("https:"):
            log.warning("twilio_callbacks_in_the_clear", url=self._public_url, fix="Set http.public_url: " + _SECURE)
        try:
            while True:
                self._doubt.clear()
                await self._look()
                await pause(self._clock, _LOOK_AGAIN_S if self._trouble or self._misses else _LOOK_S, event=self._doubt)
        finally:
            self._trouble = "warnd has stopped asking it. Wait a moment"

    async def findings(self) -> list[Finding]:
        """Look once, for a person."""
        wrong, told = await self._asked()
        found = [Finding("twilio account", wrong=None if wrong is None else _sentence(wrong), told=told)]
        if self._at_home():
            found.append(Finding("twilio callbacks", told=f"expected at {self._public_url}, from this machine alone"))
        elif not self._public_url.startswith("https:"):
            why = f"Twilio is told to call back at {self._public_url}, which anybody on the way can read and stop."
            found.append(Finding("twilio callbacks", wrong=f"{why} Serve it by https and correct http.public_url."))
        else:
            found.append(Finding("twilio callbacks", told=f"expected at {self._public_url}"))
        return found

    def _at_home(self) -> bool:
        """Say whether what stands for Twilio runs on this machine, where nobody is on the way."""
        return all(loopback(urlsplit(url).hostname or "") for url in (self._link.base_url, self._public_url))

    async def _look(self) -> None:
        wrong, _ = await self._asked()
        if wrong is not None and (wrong.startswith(_HIDDEN) or (wrong == _NO_SUCH and not self._refused)):
            wrong = None  # The texts themselves will tell.
        self._misses = 0 if wrong is None else self._misses + 1
        if wrong is None or self._misses >= _MISSES or not wrong.startswith("it cannot be reached"):
            self._refused = self._refused and wrong is not None
            self._set(wrong)

    async def _asked(self) -> tuple[str | None, str]:
        """Return (what is wrong and what to do, what the account says of itself)."""
        try:
            account = await within(_TIMEOUT_S, self._link.account.fetch_async())
        except RefusedError as error:
            return _refused(error), ""
        except LinkError as error:
            return f"it cannot be reached ({error}). {_NETWORK}", ""
        status = str(account.status or "")
        if status in _INACTIVE:
            return f"the account is {status}. {_MEND[20005]}", ""
        if status != "active":
            return f"{_HIDDEN} (its state is {status or 'left out'}). {_ASK}", ""
        return None, f"account {account.friendly_name or self._link.account_sid} is active"

    def _set(self, trouble: str | None) -> None:
        if trouble != self._trouble:
            log.warning("twilio_account", trouble=trouble) if trouble else log.info("twilio_account", trouble=None)
        self._trouble = trouble


def _refused(error: RefusedError) -> str:
    if error.status in _SHOWS_NOTHING and error.code not in codes.LOCKED_OUT:
        return f"{_HIDDEN} ({codes.word(error.code, status=error.status)}). {_MEND[20404]} or sms.twilio.base_url"
    if error.code in codes.LOCKED_OUT or error.status in {401, 403}:
        return _locked(error.code, error.status)
    return f"it cannot be reached ({codes.word(error.code, status=error.status)}). {_NETWORK}"


def _locked(code: int | None, status: int) -> str:
    return f"it refuses the account ({codes.word(code, status=status)}). {_MEND.get(code or 0, _ASK)}"


_NO_SUCH = _locked(20404, 404)


def _sentence(trouble: str) -> str:
    return f"{trouble[0].upper()}{trouble[1:]}."
