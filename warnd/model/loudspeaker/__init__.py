"""Loudspeaker protocol v1 (DESIGN §9, §13): topics, payloads, keys, signatures.

Pure: no clock, no network, no decisions about villages. Both sides of the protocol stand on it: the daemon's `mqtt`
channel and the reference terminal.
"""

from warnd.model.loudspeaker.command import (
    Audio,
    Claim,
    Command,
    Speech,
    Status,
    Verb,
    claim_of,
    fingerprint,
    sign_command,
    verify_command,
)
from warnd.model.loudspeaker.keys import (
    KeyFileError,
    kid_of,
    load_private_key,
    parse_public_key,
    private_key_pem,
    public_bytes,
    public_key_text,
)
from warnd.model.loudspeaker.receipt import Amplifier, Receipt, Stage, sign_receipt, verify_receipt
from warnd.model.loudspeaker.refused import Refused, Why
from warnd.model.loudspeaker.regions import Lineage, is_national, padded, prefix
from warnd.model.loudspeaker.state import HEARTBEATS_MISSED, ClockState, TerminalState, parse_state, state_text
from warnd.model.loudspeaker.topics import (
    DRILL_ROOT,
    LIVE_ROOT,
    ROOTS,
    Topic,
    command_filters,
    parse_topic,
    receipt_topic,
    region_command_topic,
    state_topic,
    terminal_command_topic,
)
from warnd.model.loudspeaker.trust import Trust, TrustedKey, load_trust, parse_trust, trust_of, trust_text

__all__ = [
    "DRILL_ROOT",
    "HEARTBEATS_MISSED",
    "LIVE_ROOT",
    "ROOTS",
    "Amplifier",
    "Audio",
    "Claim",
    "ClockState",
    "Command",
    "KeyFileError",
    "Lineage",
    "Receipt",
    "Refused",
    "Speech",
    "Stage",
    "Status",
    "TerminalState",
    "Topic",
    "Trust",
    "TrustedKey",
    "Verb",
    "Why",
    "claim_of",
    "command_filters",
    "fingerprint",
    "is_national",
    "kid_of",
    "load_private_key",
    "load_trust",
    "padded",
    "parse_public_key",
    "parse_state",
    "parse_topic",
    "parse_trust",
    "prefix",
    "private_key_pem",
    "public_bytes",
    "public_key_text",
    "receipt_topic",
    "region_command_topic",
    "sign_command",
    "sign_receipt",
    "state_text",
    "state_topic",
    "terminal_command_topic",
    "trust_of",
    "trust_text",
    "verify_command",
    "verify_receipt",
]
