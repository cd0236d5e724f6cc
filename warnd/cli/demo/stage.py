"""The folder of one demonstration: keys, passwords, the county's files, and the daemon's own settings file."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from warnd.cli.demo.cast import Cast, give_parts
from warnd.cli.demo.county import COUNTY, County, invent
from warnd.cli.demo.people import Recipient, invent_people, speaker_ids, speakers, write_csv
from warnd.model.loudspeaker import private_key_pem, public_key_text
from warnd.resources import shipped

DAEMON_USER = "warnd"  # As the shipped rights name it.
_SEED = 7


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that the parts of the demonstration share.

    Attributes:
        speaker_keys: Loudspeaker id -> its private key.
        passwords: MQTT user -> password; the daemon's and one for each loudspeaker.
        people: Everyone but the loudspeakers.
    """

    folder: Path
    county: County
    cast: Cast
    people: list[Recipient]
    speaker_keys: dict[str, Ed25519PrivateKey]
    daemon_key: Ed25519PrivateKey
    passwords: dict[str, str]
    http_port: int

    @property
    def settings_file(self) -> Path:
        """The daemon's settings."""
        return self.folder / "warnd.toml"

    @property
    def spool(self) -> Path:
        """The folder between the daemon and the handsets."""
        return self.folder / "spool"

    @property
    def recipients_file(self) -> Path:
        """`recipients.csv` with people and loudspeakers."""
        return self.folder / "recipients.csv"

    @property
    def url(self) -> str:
        """The daemon's address: API and public page."""
        return f"http://127.0.0.1:{self.http_port}"


def set_stage(folder: Path, *, http_port: int) -> Stage:
    """Invent county, people and keys, and write the files they need into `folder`."""
    county = invent()
    cast = give_parts(county)
    keys = {one: Ed25519PrivateKey.generate() for ids in speaker_ids(cast).values() for one in ids}
    people = invent_people(county, cast, random=Random(_SEED))  # noqa: S311 - invents names, protects nothing
    stage = Stage(
        folder=folder,
        county=county,
        cast=cast,
        people=people,
        speaker_keys=keys,
        daemon_key=Ed25519PrivateKey.generate(),
        passwords={user: secrets.token_urlsafe(18) for user in (DAEMON_USER, *keys)},
        http_port=http_port,
    )
    public_keys = {one: public_key_text(key) for one, key in keys.items()}
    write_csv(stage.recipients_file, [*people, *speakers(county, cast, public_keys=public_keys)])
    return stage


def write_settings(stage: Stage, *, mqtt_port: int, mail_port: int) -> None:
    """Write the daemon's settings and secrets: the shipped plans, texts, mail and loudspeakers."""
    _write_secret(stage.folder / "live.pem", private_key_pem(stage.daemon_key))
    _write_secret(stage.folder / "mqtt-password", stage.passwords[DAEMON_USER].encode())
    sections: dict[str, dict[str, object]] = {
        "node": {
            "name": "澄川县预警信息发布中心",
            "jurisdiction": [COUNTY],
            "timezone": "Asia/Shanghai",
            "languages": ["zh", "en"],
        },
        "store": {"url": "sqlite:///warnd.sqlite"},
        "http": {"listen": f"127.0.0.1:{stage.http_port}", "public_url": stage.url},
        # A gateway's usual rate would make 3,000 households wait longer than the demonstration lasts.
        "sms": {"provider": "spool", "signature": "澄川预警", "rate_per_s": 1000, "concurrency": 50},
        "sms.spool": {"dir": "spool"},
        "email": {
            "host": "127.0.0.1",
            "port": mail_port,
            "start_tls": False,
            "sender": "warn@chengchuan.example",
            "sender_name": "澄川县预警信息发布中心",
        },
        "mqtt": {
            "host": "127.0.0.1",
            "port": mqtt_port,
            "username": DAEMON_USER,
            "password_file": "mqtt-password",
            "client_id": "warnd",
            "signing_key_file": "live.pem",
        },
    }
    stage.settings_file.write_text("\n".join(_toml(name, values) for name, values in sections.items()), "utf-8")


def flood_document() -> bytes:
    """Return the shipped flood warning as it lies in `config/demo`."""
    return (shipped("config") / "demo" / "flood.xml").read_bytes()


def _toml(section: str, values: dict[str, object]) -> str:
    # A JSON text, number, or list of texts is also a TOML value.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join([f"[{section}]", *lines, ""])


def _write_secret(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
