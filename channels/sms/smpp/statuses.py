"""What each command_status says about a part that was submitted, in one table. Source: SMPP 3.4 Issue 1.2 §5.1.3, table 5-2.

Every one of them but the first means: not taken. Permanent is said of numbers only; what is ours to mend (a password, a field that this
message centre does not like) is transient, so that another gateway may try and this one later. Reserved and vendor values (0x400-0x4FF)
are transient, and loud.
"""

from collections.abc import Mapping
from typing import Literal

Fate = Literal["permanent", "transient", "throttled"]

OK = 0x00
INVALID_MESSAGE_LENGTH = 0x01
INVALID_COMMAND = 0x03
ALREADY_BOUND = 0x05
RECEIVER_BUSY = 0x64
"""ESME_RX_T_APPN: our word for "not now, send it again" to a receipt that is not committed."""

STATUSES: Mapping[int, tuple[str, Fate]] = {
    0x01: ("ESME_RINVMSGLEN", "transient"),
    0x02: ("ESME_RINVCMDLEN", "transient"),
    0x03: ("ESME_RINVCMDID", "transient"),
    0x04: ("ESME_RINVBNDSTS", "transient"),
    0x05: ("ESME_RALYBND", "transient"),
    0x06: ("ESME_RINVPRTFLG", "transient"),
    0x07: ("ESME_RINVREGDLVFLG", "transient"),
    0x08: ("ESME_RSYSERR", "transient"),
    0x0A: ("ESME_RINVSRCADR", "transient"),
    0x0B: ("ESME_RINVDSTADR", "permanent"),
    0x0C: ("ESME_RINVMSGID", "transient"),
    0x0D: ("ESME_RBINDFAIL", "transient"),
    0x0E: ("ESME_RINVPASWD", "transient"),
    0x0F: ("ESME_RINVSYSID", "transient"),
    0x11: ("ESME_RCANCELFAIL", "transient"),
    0x13: ("ESME_RREPLACEFAIL", "transient"),
    0x14: ("ESME_RMSGQFUL", "throttled"),
    0x15: ("ESME_RINVSERTYP", "transient"),
    0x33: ("ESME_RINVNUMDESTS", "transient"),
    0x34: ("ESME_RINVDLNAME", "transient"),
    0x40: ("ESME_RINVDESTFLAG", "transient"),
    0x42: ("ESME_RINVSUBREP", "transient"),
    0x43: ("ESME_RINVESMCLASS", "transient"),
    0x44: ("ESME_RCNTSUBDL", "transient"),
    0x45: ("ESME_RSUBMITFAIL", "transient"),
    0x48: ("ESME_RINVSRCTON", "transient"),
    0x49: ("ESME_RINVSRCNPI", "transient"),
    0x50: ("ESME_RINVDSTTON", "transient"),
    0x51: ("ESME_RINVDSTNPI", "transient"),
    0x53: ("ESME_RINVSYSTYP", "transient"),
    0x54: ("ESME_RINVREPFLAG", "transient"),
    0x55: ("ESME_RINVNUMMSGS", "transient"),
    0x58: ("ESME_RTHROTTLED", "throttled"),
    0x61: ("ESME_RINVSCHED", "transient"),
    0x62: ("ESME_RINVEXPIRY", "transient"),
    0x63: ("ESME_RINVDFTMSGID", "transient"),
    0x64: ("ESME_RX_T_APPN", "transient"),
    0x65: ("ESME_RX_P_APPN", "transient"),
    0x66: ("ESME_RX_R_APPN", "transient"),
    0x67: ("ESME_RQUERYFAIL", "transient"),
    0xC0: ("ESME_RINVOPTPARSTREAM", "transient"),
    0xC1: ("ESME_ROPTPARNOTALLWD", "transient"),
    0xC2: ("ESME_RINVPARLEN", "transient"),
    0xC3: ("ESME_RMISSINGOPTPARAM", "transient"),
    0xC4: ("ESME_RINVOPTPARAMVAL", "transient"),
    0xFE: ("ESME_RDELIVERYFAILURE", "transient"),
    0xFF: ("ESME_RUNKNOWNERR", "transient"),
}

_BINDS: Mapping[int, str] = {
    0x04: "it refuses a bind as transceiver; ask for an account that may send and receive",
    ALREADY_BOUND: "the account is bound already, by another program or by a connection that it has not given up yet",
    0x0D: "it refuses the bind; check system_id, password_file and system_type, and from which address you may bind",
    0x0E: "the password is wrong; check password_file",
    0x0F: "it does not know the account; check system_id",
    0x53: "it does not like the system type; check system_type",
    0x58: "it was asked to bind too often",
}


def name_of(status: int) -> str:
    """Return a status as reports show it: "ESME_RTHROTTLED (0x58)"."""
    return f"{STATUSES[status][0]} (0x{status:02X})" if status in STATUSES else f"status 0x{status:02X}"


def fate_of(status: int) -> Fate:
    """Return what a status other than `OK` means for a part; any that is not in the table is transient."""
    return STATUSES[status][1] if status in STATUSES else "transient"


def bind_refusal(status: int) -> str:
    """Return why a bind failed and what to do, in an operator's words."""
    return f"{_BINDS.get(status, 'it refuses the bind')} [{name_of(status)}]"
