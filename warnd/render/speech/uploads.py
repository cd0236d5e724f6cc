"""People's recordings that come with a warning: CAP resources with sound in them (CAP 1.2 §3.2.3). Nothing is ever fetched for them."""

import base64
import binascii
import hashlib
from collections.abc import Iterator

from warnd.model.cap.alert import Alert, Info, Resource
from warnd.model.cap.language import primary_language
from warnd.model.reason import Reason, Verdict, shorten
from warnd.render.speech.sound import SpeechError, recorded

_SHA256_DIGITS = 64
_CAUSE_MAX = 300
_CHECKED_KBPS = 32


class DigestError(SpeechError):
    """A recording is not the one that the warning's author meant."""


def language(info: Info) -> str:
    """Return an info's primary language; absent means English (CAP 1.2 §3.2.2)."""
    return primary_language(info.language) if info.language else "en"


def uploaded(alert: Alert) -> dict[str, tuple[Info, Resource]]:
    """Return for each language its first resource that carries sound, with its info."""
    found: dict[str, tuple[Info, Resource]] = {}
    for info in alert.infos:
        for resource in info.resources:
            if _is_audio(resource) and resource.deref_uri:
                found.setdefault(language(info), (info, resource))
    return found


def content(resource: Resource) -> bytes:
    """Return the sound that a resource carries.

    Raises:
        SpeechError: It is no base64.
        DigestError: It is not what its digest says.
    """
    try:
        media = base64.b64decode("".join((resource.deref_uri or "").split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SpeechError(f"derefUri is no base64: {error}") from error
    if resource.digest:
        wanted = resource.digest.strip().lower()
        maker = (
            hashlib.sha256 if len(wanted) == _SHA256_DIGITS else hashlib.sha1
        )  # SHA-1 is what CAP names (§3.2.3 digest).
        if maker(media, usedforsecurity=False).hexdigest() != wanted:
            raise DigestError(f"its digest is {maker(media, usedforsecurity=False).hexdigest()}, not {wanted[:64]}")
    return media


def notes(alert: Alert, *, used: bool) -> Iterator[Reason]:
    """Yield what an operator should know about a warning's recordings; `used` = this node uses them at all."""
    for place, info in enumerate(alert.infos, start=1):
        for number, resource in enumerate(info.resources, start=1):
            if _is_audio(resource):
                found = _note(resource, used=used)
                if found is not None:
                    code, cause, fix = found
                    path = f"info[{place}]/resource[{number}]"
                    yield Reason(code, path, shorten(cause, _CAUSE_MAX), fix, Verdict.NOTE)


def _note(resource: Resource, *, used: bool) -> tuple[str, str, str] | None:
    if not used:
        return (
            "audio_off",
            "a recording came with the warning, but this node plays none",
            "Add [speech] to the settings.",
        )
    if not resource.deref_uri:
        fix = "Put the sound itself into derefUri, in base64; nothing is fetched from elsewhere."
        return "audio_not_fetched", f"the recording lies at {resource.uri or 'no address'} and was not fetched", fix
    try:
        recorded(content(resource), kbps=_CHECKED_KBPS)
    except DigestError as error:
        return (
            "audio_digest",
            f"the recording is not the one meant: {error}",
            "Attach the right recording, or correct digest.",
        )
    except SpeechError as error:
        return "audio_unusable", f"the recording cannot be used: {error}", "Attach MP3 or 16-bit PCM WAV."
    return None


def _is_audio(resource: Resource) -> bool:
    return resource.mime_type.strip().lower().startswith("audio/")
