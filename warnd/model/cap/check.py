"""The rules that a schema cannot say and that need neither directory nor ledger. Pure: `now` is handed in."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from warnd.model.cap.alert import Alert, Info
from warnd.model.cap.catalogue import finding
from warnd.model.cap.check_area import check_areas
from warnd.model.cap.language import primary_language
from warnd.model.cap.levels import LevelRules, cancel_kind, cancel_words, level_of
from warnd.model.reason import Reason, Verdict

_KEY_CHARACTERS_MAX = 500
_KEY_FORBIDDEN = frozenset(" ,<&")
_PER_CODE_MAX = 5


def check(alert: Alert, *, now: datetime, future_tolerance_s: float, levels: LevelRules) -> tuple[Reason, ...]:
    """Return everything the rules find, in the order of the rules; at most five findings of one code.

    A Cancel is judged only by what it needs: who sent it, and which messages it ends.

    Args:
        alert: As `parse` returned it.
        now: Aware.
        future_tolerance_s: How far `sent` may lie ahead of `now`, in seconds.
        levels: How levels are told.
    """
    findings = [*_check_identity(alert), *_check_references(alert)]
    if alert.msg_type == "Cancel":
        findings += _check_cancel(alert)
    else:
        findings += _check_times(alert, now, future_tolerance_s=future_tolerance_s)
        findings += _check_infos(alert, levels)
        findings += check_areas(alert)
    return _bounded(findings)


def _check_identity(alert: Alert) -> Iterator[Reason]:
    for name, value in (("sender", alert.sender), ("identifier", alert.identifier)):
        if not value.strip() or len(value) > _KEY_CHARACTERS_MAX:
            yield finding(f"{name}_unusable", name, f"{name} has {len(value.strip())} characters")
        elif _KEY_FORBIDDEN.intersection(value):
            yield finding("key_characters", name, f"{name} is '{value}'")
    if alert.status in {"Draft", "System"}:
        yield finding("not_dispatched_status", "status", f"status is {alert.status}")
    if alert.msg_type in {"Ack", "Error"}:
        yield finding("not_dispatched_type", "msgType", f"msgType is {alert.msg_type}")
    if alert.scope == "Restricted" and not (alert.restriction or "").strip():
        yield finding("restriction_missing", "restriction", "scope is Restricted and restriction is missing or blank")
    if alert.scope == "Private" and not (alert.addresses or "").strip():
        yield finding("addresses_missing", "addresses", "scope is Private and addresses is missing or blank")


def _check_references(alert: Alert) -> Iterator[Reason]:
    named = [reference for reference in alert.references if reference.key != alert.key]
    unreadable = " ".join(alert.unreadable_references)
    if alert.msg_type in {"Update", "Cancel"} and not named:
        found = f"; what stands there is '{unreadable}'" if unreadable else ""
        itself = "; it names only itself" if alert.references else ""
        yield finding("references_missing", "references", f"the {alert.msg_type} names no other message{itself}{found}")
    elif unreadable:
        yield finding("reference_unreadable", "references", f"'{unreadable}' names no message")


def _check_cancel(alert: Alert) -> Iterator[Reason]:
    words = cancel_words(alert)
    if words and cancel_kind(alert) is None:
        yield finding("cancel_kind_unknown", "info", f"warnd:cancel is {', '.join(words)}")
    for path in alert.unzoned:
        yield finding("time_without_zone", path, f"{path} has no zone and was read as UTC", verdict=Verdict.NOTE)


def _check_times(alert: Alert, now: datetime, *, future_tolerance_s: float) -> Iterator[Reason]:
    for path in alert.unzoned:
        yield finding("time_without_zone", path, f"{path} has no zone")
    if alert.sent - now > timedelta(seconds=future_tolerance_s):
        ahead_s = (alert.sent - now).total_seconds()
        yield finding("sent_in_future", "sent", f"sent is {alert.sent.isoformat()}, {ahead_s:.0f} s ahead of now")
    expires = alert.expires
    for number, info in enumerate(alert.infos, 1):
        yield from _check_info_times(info, f"info[{number}]", now=now, goes_on=expires is not None and expires > now)
    if expires is not None and expires <= alert.sent:
        cause = f"expires is {expires.isoformat()}, sent is {alert.sent.isoformat()}"
        yield finding("expires_not_after_sent", "info/expires", cause)
    if expires is not None and expires <= now:
        yield finding("expires_past", "info/expires", f"expires is {expires.isoformat()}, now is {now.isoformat()}")


def _check_info_times(info: Info, path: str, *, now: datetime, goes_on: bool) -> Iterator[Reason]:
    if info.expires is None:
        yield finding("expires_missing", f"{path}/expires", f"{path} has no expires")
        return
    if goes_on and info.expires <= now:
        yield finding("info_expired", f"{path}/expires", f"{path} ended at {info.expires.isoformat()}")
    for name, start in (("effective", info.effective), ("onset", info.onset)):
        if start is not None and start >= info.expires:
            cause = f"{name} is {start.isoformat()}, expires is {info.expires.isoformat()}"
            yield finding("effective_after_expires", f"{path}/{name}", cause)


def _check_infos(alert: Alert, levels: LevelRules) -> Iterator[Reason]:
    if not alert.infos:
        if alert.msg_type in {"Alert", "Update"}:
            yield finding("info_missing", "info", f"the {alert.msg_type} has no info")
        return
    for number, info in enumerate(alert.infos, 1):
        yield from _check_texts(info, f"info[{number}]")
    yield from _check_levels(alert, levels)


def _check_texts(info: Info, path: str) -> Iterator[Reason]:
    if info.language is None:
        cause = f"{path} names no language; CAP would take it for en-US"
        yield finding("language_missing", f"{path}/language", cause)
    if not info.event.strip():
        yield finding("event_blank", f"{path}/event", f"the event of {path} is blank")
    if not (info.instruction or "").strip():
        yield finding("instruction_missing", f"{path}/instruction", f"{path} has no instruction")


def _check_levels(alert: Alert, levels: LevelRules) -> Iterator[Reason]:
    """Hold an info without a level, unless it may be taken for a translation of one that has a level.

    An info that repeats a language has its own area and level, and its unknown level could be the highest.
    """
    known = [level_of(info, alert.sender, levels) for info in alert.infos]
    infos_in = Counter(primary_language(info.language or "") for info in alert.infos)
    for number, (info, level) in enumerate(zip(alert.infos, known, strict=True), 1):
        if level is not None:
            continue
        translation = infos_in[primary_language(info.language or "")] == 1 and any(other is not None for other in known)
        verdict = Verdict.NOTE if translation else Verdict.HOLD
        cause = f"info[{number}] has severity {info.severity} and states no level that is known for {alert.sender}"
        yield finding("level_unknown", f"info[{number}]", cause, verdict=verdict)


def _bounded(findings: list[Reason]) -> tuple[Reason, ...]:
    """Drop what repeats a code too often: a broken feed with a thousand areas would fill every screen."""
    seen: Counter[str] = Counter()
    kept: list[Reason] = []
    for reason in findings:
        seen[reason.code] += 1
        if seen[reason.code] <= _PER_CODE_MAX:
            kept.append(reason)
    return tuple(_with_rest(reason, kept=kept, found=seen[reason.code]) for reason in kept)


def _with_rest(reason: Reason, *, kept: list[Reason], found: int) -> Reason:
    last = [other for other in kept if other.code == reason.code][-1]
    if found <= _PER_CODE_MAX or reason is not last:
        return reason
    return replace(reason, cause=f"{reason.cause} (and {found - _PER_CODE_MAX} more like it)")
