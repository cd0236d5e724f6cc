"""Small things that a terminal keeps for ever: its volume, and the nonces of tests and volume commands that it has obeyed."""

import json
from typing import Final

from warnd.terminal.disk import Disk

VOLUME_DEFAULT: Final = 80
NONCES_MAX: Final = 1000
_VOLUME: Final = "volume"
_NONCES: Final = "nonces.json"


class Memory:
    """Kept on disk at every change."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.volume = self._read_volume()
        self._nonces = self._read_nonces()

    def _read_volume(self) -> int:
        text = (self._disk.read(_VOLUME) or "").strip()
        return min(100, int(text)) if text.isascii() and text.isdigit() else VOLUME_DEFAULT

    def _read_nonces(self) -> list[str]:
        text = self._disk.read(_NONCES)
        try:
            found = [] if text is None else json.loads(text)
        except ValueError:
            found = None
        if isinstance(found, list) and all(isinstance(nonce, str) for nonce in found):
            return found
        self._disk.set_aside(_NONCES)
        return []

    def set_volume(self, volume: int) -> bool:
        """Set 0..100 from now on; return whether it is on the disk."""
        self.volume = volume
        return self._disk.write(_VOLUME, str(volume))

    def first_time(self, nonce: str) -> bool:
        """Remember a nonce; return whether it is new."""
        if nonce in self._nonces:
            return False
        self._nonces = [*self._nonces, nonce][-NONCES_MAX:]
        self._disk.write(_NONCES, json.dumps(self._nonces))
        return True
