"""`warnd terminal keys provision|rotate|revoke`: a terminal's keys and its account at the broker, from its first day to its last.

Runs at the centre. Every verb may be repeated: what was done already is left as it is.
"""

import csv
import io
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from warnd.cli.broker_rights import DAEMON, DRILL_SUFFIX
from warnd.cli.broker_users import BrokerUsers
from warnd.cli.output import say, warn
from warnd.cli.settled import load_settings, open_store, ready_store
from warnd.cli.stop import Exit, Stop
from warnd.cli.terminal_kit import Kit, make
from warnd.clock import SystemClock
from warnd.intake.importing.door import Door
from warnd.intake.importing.run import import_recipients
from warnd.intake.importing.summary import Options
from warnd.ledger import directory, keys
from warnd.ledger.store import open_engine
from warnd.ledger.values import to_ms
from warnd.model.loudspeaker import public_key_text
from warnd.model.loudspeaker.fields import is_label
from warnd.settings import Settings
from warnd.settings.sections.mqtt import Mqtt

_COLUMNS: Final = ("id", "kind", "name", "region", "roles", "lang", "phone", "email", "lat", "lon", "public_key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What all three verbs are given."""

    terminals: Sequence[str]
    dry_run: bool
    as_json: bool
    config: Path | None


def enrol_daemon(config: Path | None) -> None:
    """Let the daemon in at the broker with the accounts of its settings."""
    users = BrokerUsers(load_settings(config))
    say(*(f"{user}: may log in" for user in users.enrol_daemon()))
    _remind(users, cut=False)


def provision(asked: Asked, *, region: str, out: Path, register: bool) -> None:
    """Make the folders of terminals, let them in at the broker, and print or import their rows."""
    _check_ids(asked.terminals)
    settings = load_settings(asked.config)
    users, mqtt = BrokerUsers(settings), _mqtt(settings)
    if asked.dry_run:
        _tell_dry(asked, f"would get {out}/ID and an account at {mqtt.host}:{mqtt.port}")
        return
    kits = [make(one, out / one, region=region, mqtt=mqtt, users=users) for one in asked.terminals]
    users.enrol([kit.passwords for kit in kits if kit.passwords is not None])
    rows = [_row(kit.terminal, region=region, key=kit.public_key) for kit in kits]
    if register:
        _import(settings, rows)
    _tell_kits(asked, kits, rows)
    _remind(users, cut=False)


def rotate(asked: Asked, *, out: Path, overlap_days: int, password: bool) -> None:
    """Give terminals new keys; the old ones are believed for `overlap_days` more."""
    _check_ids(asked.terminals)
    settings = load_settings(asked.config)
    mqtt, found = _mqtt(settings), _registered(settings, asked.terminals)
    users = BrokerUsers(settings) if password else None
    if asked.dry_run:
        _tell_dry(asked, f"would get a new key in {out}/ID; the old one would end in {overlap_days} days")
        return
    kits = [make(one.id, out / one.id, region=one.region, mqtt=mqtt, users=users) for one in found]
    _check_new(found, kits)
    _end_old(settings, found, kits, overlap_days=overlap_days)
    rows = [_row_of(one, key=kit.public_key) for one, kit in zip(found, kits, strict=True)]
    _import(settings, rows)
    if users is not None:
        users.enrol([kit.passwords for kit in kits if kit.passwords is not None])
    _tell_kits(asked, kits, rows)
    warn(f"Bring each folder to its terminal within {overlap_days} days, and put these rows into recipients.csv.")
    if users is not None:
        _remind(users, cut=False)


def revoke(asked: Asked) -> None:
    """Shut terminals out at the broker, and believe none of their keys any more."""
    _check_ids(asked.terminals)
    settings = load_settings(asked.config)
    users = BrokerUsers(settings)
    if asked.dry_run:
        _tell_dry(asked, "would be shut out at the broker, and none of its keys believed")
        return
    users.expel(asked.terminals)
    now_ms = to_ms(SystemClock().now())
    ready_store(settings)
    with open_store(settings) as conn:
        for terminal in asked.terminals:
            own = directory.terminal_key(conn, terminal_id=terminal)
            known = [*([own] if own else []), *keys.older(conn, terminal_id=terminal, now_ms=now_ms)]
            keys.end(conn, terminal_id=terminal, public_keys=known, ends_at_ms=now_ms)
    if asked.as_json:
        say(json.dumps({"terminals": [{"id": one, "revoked": True} for one in asked.terminals]}))
    else:
        say(*(f"{one}: shut out; its keys are believed no more within half a minute" for one in asked.terminals))
    _remind(users, cut=True)


_SHELL: Final = frozenset("\"'`$\\;&|<>")  # What a shell or systemd reads otherwise than as it stands.


def _check_ids(terminals: Sequence[str]) -> None:
    for one in terminals:
        if not is_label(one):
            raise Stop(f"{one!r} is no terminal id: no white space, '/', '+' and '#'", code=Exit.USAGE)
        if one.startswith((".", "-")) or _SHELL & set(one):
            cause = f"{one!r} cannot be a terminal's id: it names a folder and is in terminal.env; no '.' or '-' first, no quotes, no '$'"
            raise Stop(cause, code=Exit.USAGE)
        if one in {DAEMON, DAEMON + DRILL_SUFFIX} or one.endswith(DRILL_SUFFIX) or ":" in one:
            cause = f"{one!r} cannot be a terminal's id: {DAEMON}, endings in {DRILL_SUFFIX} and ':' mean something else at the broker"
            raise Stop(cause, code=Exit.USAGE)
    if len(set(terminals)) < len(terminals):
        raise Stop("an id stands twice", code=Exit.USAGE)


def _mqtt(settings: Settings) -> Mqtt:
    if settings.mqtt is None:
        raise Stop("[mqtt] is missing in the settings", code=Exit.USAGE)
    return settings.mqtt


def _registered(settings: Settings, terminals: Sequence[str]) -> list[directory.RecipientRow]:
    ready_store(settings)
    with open_store(settings) as conn:
        found = [directory.recipient(conn, recipient_id=one) for one in terminals]
    for terminal, row in zip(terminals, found, strict=True):
        if row is None or row.kind != "terminal":
            cause = f"{terminal}: no terminal with this id is registered; provision it, or import recipients.csv first"
            raise Stop(cause, code=Exit.NO)
    return [row for row in found if row is not None]


def _check_new(found: Sequence[directory.RecipientRow], kits: Sequence[Kit]) -> None:
    for row, kit in zip(found, kits, strict=True):
        if row.public_key == public_key_text(kit.public_key):
            cause = f"{kit.folder} holds the key that {row.id} has already; choose another --out for a new one"
            raise Stop(cause, code=Exit.NO)


def _end_old(
    settings: Settings, found: Sequence[directory.RecipientRow], kits: Sequence[Kit], *, overlap_days: int
) -> None:
    """Before the new keys come in, so that no moment is without the old one."""
    ends_at_ms = to_ms(SystemClock().now() + timedelta(days=overlap_days))
    with open_store(settings) as conn:
        for row, kit in zip(found, kits, strict=True):
            old = directory.terminal_key(conn, terminal_id=row.id)
            if old is not None and old != kit.public_key:
                keys.end(conn, terminal_id=row.id, public_keys=[old], ends_at_ms=ends_at_ms)


def _row(terminal: str, *, region: str, key: bytes) -> dict[str, str]:
    own = region.rsplit("/", maxsplit=1)[-1]
    return dict.fromkeys(_COLUMNS, "") | {
        "id": terminal,
        "kind": "terminal",
        "name": terminal,
        "region": own,
        "public_key": public_key_text(key),
    }


def _row_of(standing: directory.RecipientRow, *, key: bytes) -> dict[str, str]:
    kept = {
        name: getattr(standing, name)
        for name in ("id", "kind", "name", "region", "lang", "phone", "email", "lat", "lon")
    }
    roles = ";".join(f"{role}@{region}" for role, region in standing.seats)
    told = {name: "" if value is None else str(value) for name, value in kept.items()}
    return dict.fromkeys(_COLUMNS, "") | told | {"roles": roles, "public_key": public_key_text(key)}


def _csv(rows: Sequence[dict[str, str]]) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _import(settings: Settings, rows: Sequence[dict[str, str]]) -> None:
    ready_store(settings)
    reading, writing = open_engine(settings.store.url, begin="BEGIN"), open_engine(settings.store.url)
    try:
        with TemporaryDirectory() as folder:
            file = Path(folder) / "terminals.csv"
            file.write_text(_csv(rows), "utf-8")
            door = Door(reading, writing, clock=SystemClock(), token=secrets.token_hex(16))
            summary = import_recipients(file, door=door, options=Options(), language=settings.node.languages[0])
    finally:
        reading.dispose()
        writing.dispose()
    for problem in summary.problems:
        raise Stop(f"{rows[0]['id']}: {problem.cause}. {problem.fix}", code=Exit.NO)


def _tell_kits(asked: Asked, kits: Sequence[Kit], rows: Sequence[dict[str, str]]) -> None:
    if asked.as_json:
        told = [
            {"id": kit.terminal, "folder": str(kit.folder), "row": row} for kit, row in zip(kits, rows, strict=True)
        ]
        say(json.dumps({"terminals": told}, ensure_ascii=False))
    else:
        say(_csv(rows).rstrip("\n"))


def _tell_dry(asked: Asked, what: str) -> None:
    if asked.as_json:
        say(json.dumps({"dry_run": True, "terminals": [{"id": one} for one in asked.terminals]}))
    else:
        say(*(f"{one} {what.replace('ID', one)}" for one in asked.terminals))


def _remind(users: BrokerUsers, *, cut: bool) -> None:
    if users.dynamic:
        return
    warn("Let the broker read its passwords again: pkill -HUP -x mosquitto")
    if cut:
        warn("That cuts nobody off: a terminal that is connected stays so until you restart the broker.")
