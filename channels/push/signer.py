"""Says to each push service who we are (VAPID, RFC 8292), with a token that is made once and used until it grows old."""

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from py_vapid import Vapid02

from warnd.clock import Clock

_LIFE_S = 12 * 3_600  # RFC 8292 §2: at most a day.
_KEPT_MAX = 1_000  # Services have a few dozen hosts; whoever invents others must not fill the memory.
_FRESH_S = 6 * 3_600


class Signer:
    """Keeps one token for each push service."""

    def __init__(self, key: EllipticCurvePrivateKey, *, contact: str, clock: Clock) -> None:
        self._vapid = Vapid02(key)
        self._contact = contact
        self._clock = clock
        self._made: dict[str, tuple[float, str]] = {}

    def authorization(self, origin: str) -> str:
        """Return the header for a service at `origin` ("https://host")."""
        now = self._clock.monotonic()
        at, made = self._made.get(origin, (float("-inf"), ""))
        if now - at > _FRESH_S:
            expires = int(self._clock.now().timestamp()) + _LIFE_S
            made = self._vapid.sign({"aud": origin, "exp": expires, "sub": self._contact})["Authorization"]
            if len(self._made) >= _KEPT_MAX:
                self._made.clear()
            self._made[origin] = (now, made)
        return made
