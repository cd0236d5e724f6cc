"""MPEG audio layer III as bytes: whether it is whole, how long it lasts, how two become one. Decodes no sound.

Header fields and lengths of frames as in ISO/IEC 11172-3 §2.4.1.3 and ISO/IEC 13818-3 §2.4.2.3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_KBPS_1: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBPS_2: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_HZ: Final = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_SYNC: Final = 0xFFE0  # Eleven ones.
_MPEG_1: Final = 3
_LAYER_III: Final = 1
_MONO: Final = 3
_TABLE_BYTES: Final = 200  # Of a first frame, in which an encoder may keep a table instead of sound.
_TAIL_BYTES: Final = 4096  # Of tags and padding after the last frame.
_FRAMES_LEAST: Final = 3  # Two headers can look alike by chance.


class NotMp3Error(ValueError):
    """The bytes are no MP3, or it breaks off; the text says where."""


@dataclass(frozen=True, slots=True)
class Mp3:
    """What an MP3 is.

    Attributes:
        frames: Its sound, without tags and without an encoder's table.
        duration_ms: As its frames say; no header promises it.
    """

    rate_hz: int
    channels: int
    frames: bytes
    duration_ms: int


@dataclass(frozen=True, slots=True)
class _Header:
    length: int
    rate_hz: int
    channels: int
    samples: int


def read_mp3(media: bytes) -> Mp3:
    """Walk all frames of an MP3.

    Raises:
        NotMp3Error: It is none, breaks off in the middle, or changes its rate or number of channels.
    """
    place = _after_tag(media)
    first = _header(media, place)
    if first is None:
        raise NotMp3Error("no MP3 frame at its beginning")
    start = place + (first.length if _is_table(media[place : place + _TABLE_BYTES]) else 0)
    place, count = start, 0
    while (here := _header(media, place)) is not None and place + here.length <= len(media):
        if (here.rate_hz, here.channels) != (first.rate_hz, first.channels):
            raise NotMp3Error(f"it changes its format at byte {place}")
        place, count = place + here.length, count + 1
    if count < _FRAMES_LEAST or len(media) - place > _TAIL_BYTES:
        raise NotMp3Error(f"it breaks off at byte {place} of {len(media)}")
    return Mp3(first.rate_hz, first.channels, media[start:place], count * first.samples * 1000 // first.rate_hz)


def joined(parts: Sequence[Mp3]) -> bytes:
    """Return one MP3 that sounds the parts one after the other.

    Raises:
        NotMp3Error: They differ in rate or number of channels.
    """
    if len({(part.rate_hz, part.channels) for part in parts}) != 1:
        raise NotMp3Error("recordings of different rates or channels cannot be joined")
    return b"".join(part.frames for part in parts)


def _after_tag(media: bytes) -> int:
    """Return where sound begins: after an ID3v2 tag, whose size has seven bits in each byte (id3.org, ID3v2.4.0 §3.1)."""
    if media[:3] != b"ID3" or len(media) < 10:  # noqa: PLR2004 - a tag's header
        return 0
    size = sum((byte & 0x7F) << shift for byte, shift in zip(media[6:10], (21, 14, 7, 0), strict=True))
    return 10 + size + (10 if media[5] & 0x10 else 0)


def _is_table(beginning: bytes) -> bool:
    return any(mark in beginning for mark in (b"Xing", b"Info", b"VBRI"))


def _header(media: bytes, place: int) -> _Header | None:
    """Return what stands in a frame's four bytes, or None where no frame of layer III begins."""
    if place + 4 > len(media) or int.from_bytes(media[place : place + 2], "big") & _SYNC != _SYNC:
        return None
    version, layer = media[place + 1] >> 3 & 3, media[place + 1] >> 1 & 3
    kbps_no, hz_no, padding = media[place + 2] >> 4, media[place + 2] >> 2 & 3, media[place + 2] >> 1 & 1
    if version not in _HZ or layer != _LAYER_III or kbps_no in {0, 15} or hz_no == 3:  # noqa: PLR2004 - reserved values
        return None
    kbps = (_KBPS_1 if version == _MPEG_1 else _KBPS_2)[kbps_no]
    rate_hz, samples = _HZ[version][hz_no], 1152 if version == _MPEG_1 else 576
    length = samples // 8 * kbps * 1000 // rate_hz + padding
    return _Header(length, rate_hz, 1 if media[place + 3] >> 6 == _MONO else 2, samples)
