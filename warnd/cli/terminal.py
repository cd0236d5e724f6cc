"""`warnd terminal`: runs the reference loudspeaker, and makes the keys that terminals and daemons need.

Nothing here imports the daemon: a village machine has 60 MB for all of it.
"""

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from warnd.cli.stop import Exit, Stop
from warnd.model.loudspeaker import (
    DRILL_ROOT,
    LIVE_ROOT,
    KeyFileError,
    TrustedKey,
    is_national,
    load_private_key,
    parse_public_key,
    prefix,
    private_key_pem,
    public_bytes,
    public_key_text,
    trust_text,
)
from warnd.model.loudspeaker.fields import FormatError, is_label, parse_time

app = typer.Typer(help="Run a village loudspeaker, and make its keys.", no_args_is_help=True, rich_markup_mode=None)
keys = typer.Typer(help="Make keys and trust files.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(keys, name="keys")

PASSWORD_VARIABLE = "WARND_TERMINAL_PASSWORD"  # noqa: S105 - the name of a variable, not a password
DRILL_PASSWORD_VARIABLE = "WARND_TERMINAL_DRILL_PASSWORD"  # noqa: S105 - the name of a variable, not a password


@app.command()
def run(
    *,
    terminal: Annotated[str, typer.Option("--id", help="The terminal's id, as in recipients.csv.")],
    region: Annotated[
        str,
        typer.Option(
            help="The code of its village; codes that are not national with their ancestors: outer/inner/own."
        ),
    ],
    broker: Annotated[str, typer.Option(help="mqtts://[USER@]HOST[:PORT] or mqtt://…; USER is the id if not given.")],
    key: Annotated[Path, typer.Option(help="Its private key (PEM PKCS#8 Ed25519).")],
    trust: Annotated[Path, typer.Option(help="The trust file: whose commands it obeys.")],
    state: Annotated[Path, typer.Option(help="Folder for all that must survive a power cut; one for each terminal.")],
    silent: Annotated[
        bool, typer.Option("--silent", help="Make no sound but take the time that it would last.")
    ] = False,
    password_file: Annotated[
        Path | None, typer.Option(help=f"File with the broker's password; else {PASSWORD_VARIABLE}.")
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="Certificate authority of the broker; else the machine's own.")
    ] = None,
    cert_file: Annotated[
        Path | None, typer.Option(help="Its own certificate, where the broker asks for one instead of a password.")
    ] = None,
    key_file: Annotated[Path | None, typer.Option(help="The unencrypted private key of --cert-file.")] = None,
    drill_broker: Annotated[
        str | None, typer.Option(help="Broker account for drills; else drills come over --broker, if that allows it.")
    ] = None,
    drill_password_file: Annotated[
        Path | None, typer.Option(help=f"File with the password for drills; else {DRILL_PASSWORD_VARIABLE}.")
    ] = None,
    drill_cert_file: Annotated[Path | None, typer.Option(help="Its own certificate for drills.")] = None,
    drill_key_file: Annotated[Path | None, typer.Option(help="The private key of --drill-cert-file.")] = None,
    audio_host: Annotated[
        list[str] | None, typer.Option(help="Host (or host:port) from which recordings may be fetched; repeatable.")
    ] = None,
    amplifier_file: Annotated[
        Path | None, typer.Option(help="File in which `ok`, `fault` or `unknown` stands for the amplifier.")
    ] = None,
    mixer: Annotated[str, typer.Option(help="ALSA control that sets the volume.")] = "Master",
    no_clock: Annotated[
        bool, typer.Option("--no-clock", help="Nobody sets this machine's clock: take only signed time.")
    ] = False,
    heartbeat: Annotated[int, typer.Option(min=1, help="Seconds between two signs of life.")] = 30,
) -> None:
    """Be a village loudspeaker until stopped."""
    from warnd.cli.terminal_run import Given, run_terminal  # noqa: PLC0415 - `keys` needs no network

    run_terminal(
        Given(
            terminal=terminal,
            region=region,
            broker=broker,
            password=_password(password_file, PASSWORD_VARIABLE),
            drill_broker=drill_broker,
            drill_password=_password(drill_password_file, DRILL_PASSWORD_VARIABLE),
            ca_file=ca_file,
            cert_file=cert_file,
            key_file=key_file,
            drill_cert_file=drill_cert_file,
            drill_key_file=drill_key_file,
            key=key,
            trust=trust,
            state=state,
            silent=silent,
            audio_hosts=tuple(audio_host or ()),
            amplifier_file=amplifier_file,
            mixer=mixer,
            trust_clock=not no_clock,
            heartbeat_s=heartbeat,
        )
    )


def _password(path: Path | None, variable: str) -> str | None:
    if path is None:
        return os.environ.get(variable)
    try:
        return path.read_text("utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"{path}: the password cannot be read ({error})", code=Exit.UNREACHABLE) from error


@keys.command()
def generate(
    file: Annotated[Path, typer.Argument(help="Where the private key is written; must not exist yet.")],
) -> None:
    """Make an Ed25519 key, readable by its owner only, and print its public key."""
    key = Ed25519PrivateKey.generate()
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(private_key_pem(key))
    except FileExistsError as error:
        raise Stop(
            f"{file}: exists already; a key that is overwritten is lost. Choose another name.", code=Exit.USAGE
        ) from error
    except OSError as error:
        raise Stop(f"{file}: cannot be written ({error.strerror})", code=Exit.UNREACHABLE) from error
    sys.stdout.write(public_key_text(key) + "\n")


@keys.command()
def public(file: Annotated[Path, typer.Argument(help="A private key.")]) -> None:
    """Print the public key of a private key, as recipients.csv wants it."""
    sys.stdout.write(public_key_text(public_bytes(_private(file))) + "\n")


@keys.command()
def trust(
    *,
    live: Annotated[
        list[str] | None,
        typer.Option(help="A key that may command real warnings: a private key file or a public key; repeatable."),
    ] = None,
    drill: Annotated[list[str] | None, typer.Option(help="A key that may command drills; repeatable.")] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(help="Region that these keys may command (510181 = the whole county); repeatable; else all."),
    ] = None,
    not_after: Annotated[
        str | None, typer.Option(help="Last day, or time (UTC), after which they command nothing; else no end.")
    ] = None,
) -> None:
    """Print the trust file for terminals."""
    if not live and not drill:
        raise Stop("name at least one key: --live FILE for warnings, --drill FILE for drills", code=Exit.USAGE)
    regions = None if not region else tuple(_region(code) for code in region)
    end = None if not_after is None else _end(not_after)
    trusted = [
        TrustedKey(_public(word), root, regions, end)
        for root, words in ((LIVE_ROOT, live), (DRILL_ROOT, drill))
        for word in words or ()
    ]
    if len({key.kid for key in trusted}) < len(trusted):
        raise Stop("one key stands twice; a drill needs a key of its own", code=Exit.USAGE)
    sys.stdout.write(trust_text(trusted))


def _region(code: str) -> str:
    if not is_label(code):
        raise Stop(f"{code!r} is no region code", code=Exit.USAGE)
    if code.isdigit() and not is_national(code):
        raise Stop(f"{code}: national codes have 2, 4, 6, 9 or 12 digits, this has {len(code)}", code=Exit.USAGE)
    return prefix(code)


def _end(text: str) -> datetime:
    try:
        if "T" not in text.upper():
            return datetime.fromisoformat(text).replace(tzinfo=UTC) + timedelta(days=1)
        return parse_time(text)
    except (ValueError, FormatError) as error:
        raise Stop(f"--not-after {text!r}: write 2027-12-31 or 2027-12-31T16:00:00Z", code=Exit.USAGE) from error


def _public(word: str) -> bytes:
    """Return the public key that a word gives: a key file, or the key itself as 43 letters."""
    if Path(word).exists():
        return public_bytes(_private(Path(word)))
    try:
        return parse_public_key(word)
    except KeyFileError as error:
        raise Stop(f"{word}: neither a key file nor a public key", code=Exit.UNREACHABLE) from error


def _private(path: Path) -> Ed25519PrivateKey:
    try:
        return load_private_key(path)
    except KeyFileError as error:
        raise Stop(str(error), code=Exit.UNREACHABLE) from error


Terminals = Annotated[list[str], typer.Argument(metavar="ID…", help="Terminals, as in recipients.csv.")]
Out = Annotated[Path, typer.Option(help="Folder in which each terminal gets a folder of its own, named by its id.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")]
Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The settings; else WARND_CONFIG and the usual places.")
]


@keys.command()
def daemon(*, config: Config = None) -> None:
    """Let the daemon itself in at the broker, with the users and passwords of [mqtt] and [mqtt.drill]."""
    from warnd.cli import terminal_keys  # noqa: PLC0415 - as below

    terminal_keys.enrol_daemon(config)


@keys.command()
def provision(
    terminals: Terminals,
    *,
    region: Annotated[str, typer.Option(help="Their village, as --region of `run` takes it.")],
    out: Out,
    register: Annotated[bool, typer.Option("--register", help="Import their rows into the directory at once.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Make all that terminals need, let them in at the broker, and print their rows for recipients.csv."""
    from warnd.cli import terminal_keys  # noqa: PLC0415 - a village machine runs without the directory's libraries

    asked = terminal_keys.Asked(terminals=terminals, dry_run=dry_run, as_json=as_json, config=config)
    terminal_keys.provision(asked, region=region, out=out, register=register)


@keys.command()
def rotate(
    terminals: Terminals,
    *,
    out: Out,
    overlap_days: Annotated[int, typer.Option(min=0, help="How long the old key is still believed.")] = 7,
    password: Annotated[
        bool, typer.Option("--password", help="Also give it a new password at the broker, which counts at once.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Give terminals new keys beside the old ones, which end after the overlap."""
    from warnd.cli import terminal_keys  # noqa: PLC0415 - as above

    asked = terminal_keys.Asked(terminals=terminals, dry_run=dry_run, as_json=as_json, config=config)
    terminal_keys.rotate(asked, out=out, overlap_days=overlap_days, password=password)


@keys.command()
def revoke(terminals: Terminals, *, dry_run: DryRun = False, as_json: AsJson = False, config: Config = None) -> None:
    """Shut terminals out at the broker and believe their keys no more: for a machine that was stolen."""
    from warnd.cli import terminal_keys  # noqa: PLC0415 - as above

    terminal_keys.revoke(terminal_keys.Asked(terminals=terminals, dry_run=dry_run, as_json=as_json, config=config))
