"""Every code with which Twilio refuses a text, or reports that it did not arrive, and what that means for us.

The codes are those of Twilio's error and warning dictionary (twilio.com/docs/api/errors) that a plain text message can meet: on the
call that creates it (20xxx, 21xxx), on its way (30xxx), and where a Messaging Service hands it to another kind of messenger (63xxx).
"""

from enum import Enum

from warnd.channel import Failed, Outcome, Unknown

_TOO_MANY = 429
_UNAVAILABLE = 503
_SERVER = 500
_OURS = frozenset({401, 403, 404})
THROTTLED_S = 2.0
"""How long to rest where Twilio names no time: the base of the ledger's own back-off."""


class Verdict(Enum):
    """What a code means.

    NUMBER: this number, or this text to it, fails for good, whoever carries it: permanent.
    ACCOUNT: only the centre can mend it (funds, rights, sender); another gateway may carry the text, and so may this one once it is mended.
    TRANSIENT: certainly not taken; another time it may be.
    THROTTLED: certainly not taken, because of our pace.
    AMBIGUOUS: it may have been taken.
    """

    NUMBER = "number"
    ACCOUNT = "account"
    TRANSIENT = "transient"
    THROTTLED = "throttled"
    AMBIGUOUS = "ambiguous"


_NUMBER, _ACCOUNT, _TRANSIENT = Verdict.NUMBER, Verdict.ACCOUNT, Verdict.TRANSIENT
_THROTTLED, _AMBIGUOUS = Verdict.THROTTLED, Verdict.AMBIGUOUS

CODES: dict[int, tuple[Verdict, str]] = {
    # The call itself.
    14107: (_THROTTLED, "message rate limit"),
    20001: (_ACCOUNT, "unknown parameters"),
    20002: (_ACCOUNT, "invalid friendly name"),
    20003: (_ACCOUNT, "wrong account SID or token"),
    20004: (_ACCOUNT, "method not allowed"),
    20005: (_ACCOUNT, "account not active"),
    20006: (_ACCOUNT, "access denied"),
    20008: (_ACCOUNT, "test credentials"),
    20010: (_ACCOUNT, "account suspended"),
    20403: (_ACCOUNT, "forbidden"),
    20404: (_ACCOUNT, "no such account"),
    20426: (_ACCOUNT, "TLS required"),
    20429: (_THROTTLED, "too many requests"),
    20500: (_AMBIGUOUS, "Twilio failed inside"),
    20503: (_TRANSIENT, "Twilio unavailable"),
    20504: (_AMBIGUOUS, "Twilio took too long inside"),
    # The number that the text goes to.
    21211: (_NUMBER, "invalid number"),
    21214: (_NUMBER, "number cannot be reached"),
    21217: (_NUMBER, "invalid number"),
    21265: (_NUMBER, "short code as recipient"),
    21266: (_NUMBER, "own number as recipient"),
    21268: (_NUMBER, "premium number"),
    21604: (_NUMBER, "no number"),
    21610: (_NUMBER, "unsubscribed"),
    21614: (_NUMBER, "not a mobile number"),
    21635: (_NUMBER, "landline"),
    # The text.
    21602: (_NUMBER, "empty text"),
    21605: (_NUMBER, "text too long"),
    21617: (_NUMBER, "text too long"),
    21619: (_NUMBER, "empty text"),
    # The sender and the rights of the account.
    21212: (_ACCOUNT, "invalid sender"),
    21219: (_ACCOUNT, "trial account: number not verified"),
    21267: (_ACCOUNT, "trial account: no name as sender"),
    21408: (_ACCOUNT, "country not enabled"),
    21601: (_ACCOUNT, "sender cannot text"),
    21603: (_ACCOUNT, "no sender"),
    21606: (_ACCOUNT, "sender not usable for this number"),
    21607: (_ACCOUNT, "sender is a test number"),
    21608: (_ACCOUNT, "trial account: number not verified"),
    21609: (_ACCOUNT, "http.public_url cannot be called back"),
    21611: (_THROTTLED, "sender's queue is full"),
    21612: (_ACCOUNT, "no route from this sender to this number"),
    21616: (_ACCOUNT, "sender stands for several"),
    21618: (_ACCOUNT, "text refused by content rules"),
    21659: (_ACCOUNT, "sender is no Twilio number"),
    21660: (_ACCOUNT, "sender belongs to another account"),
    21661: (_ACCOUNT, "sender cannot text"),
    21701: (_ACCOUNT, "no such Messaging Service"),
    21703: (_ACCOUNT, "Messaging Service has no sender"),
    21704: (_ACCOUNT, "Messaging Service has no sender for this number"),
    21705: (_ACCOUNT, "invalid Messaging Service SID"),
    # On its way.
    30001: (_TRANSIENT, "queue overflow"),
    30002: (_ACCOUNT, "account suspended"),
    30003: (_TRANSIENT, "phone unreachable"),
    30004: (_NUMBER, "blocked"),
    30005: (_NUMBER, "unknown phone"),
    30006: (_NUMBER, "landline or unreachable carrier"),
    30007: (_ACCOUNT, "filtered by the carrier"),
    30008: (_TRANSIENT, "unknown error"),
    30009: (_TRANSIENT, "missing part"),
    30010: (_ACCOUNT, "dearer than allowed"),
    30017: (_TRANSIENT, "carrier congested"),
    30018: (_ACCOUNT, "sender must be registered in this country"),
    30019: (_NUMBER, "text too large for the carrier"),
    30022: (_THROTTLED, "registered sender's rate limit"),
    30023: (_ACCOUNT, "registered sender's daily limit"),
    30024: (_ACCOUNT, "sender not provisioned with the carrier"),
    30032: (_ACCOUNT, "toll-free sender not verified"),
    30033: (_ACCOUNT, "registered campaign suspended"),
    30034: (_ACCOUNT, "sender not registered"),
    30035: (_ACCOUNT, "sender being registered"),
    30036: (_TRANSIENT, "its life ended in Twilio's queue"),
    30037: (_ACCOUNT, "outgoing texts are switched off"),
    30038: (_ACCOUNT, "text refused by content rules"),
    30039: (_TRANSIENT, "loop detected"),
    30040: (_ACCOUNT, "sender not registered with the carrier"),
    30044: (_ACCOUNT, "trial account: text too long"),
    30410: (_TRANSIENT, "carrier did not answer"),
    30450: (_ACCOUNT, "stopped as suspected fraud"),
    30453: (_ACCOUNT, "stopped as suspected fraud"),
    30454: (_THROTTLED, "country's or number's limit"),
    30500: (_TRANSIENT, "Twilio failed inside"),
    # Other kinds of messengers behind a Messaging Service.
    63001: (_ACCOUNT, "messenger refuses the account"),
    63002: (_ACCOUNT, "messenger refuses the sender"),
    63003: (_NUMBER, "not at this messenger"),
    63007: (_ACCOUNT, "sender not at this messenger"),
    63012: (_TRANSIENT, "messenger failed inside"),
    63013: (_ACCOUNT, "against the messenger's rules"),
    63016: (_ACCOUNT, "outside the messenger's window"),
    63018: (_THROTTLED, "messenger's rate limit"),
    63024: (_NUMBER, "not at this messenger"),
    63038: (_ACCOUNT, "messenger's daily limit"),
}

LOCKED_OUT = frozenset({20003, 20005, 20006, 20008, 20010, 20403, 20404, 30002})
"""Codes after which no text at all can leave by this account."""


def verdict(code: int | None, *, status: int = 400) -> Verdict:
    """Return what an answer means.

    A code that stands in no table counts by its HTTP status. 429 asks for another pace. 503 says by its definition that the request was not
    handled (RFC 9110 §15.6.4). Behind 500, 502 and 504 the text may have been taken before something broke. 401, 403 and 404 are about the
    account. Anything else was refused, for a reason that is not known to last: transient.
    """
    if code in CODES:
        return CODES[code][0]
    if status == _TOO_MANY:
        return Verdict.THROTTLED
    if status >= _SERVER:
        return Verdict.TRANSIENT if status == _UNAVAILABLE else Verdict.AMBIGUOUS
    return Verdict.ACCOUNT if status in _OURS else Verdict.TRANSIENT


def word(code: int | None, *, status: int | None = None) -> str:
    """Return the short stable reason for reports: "21610 unsubscribed", "502 without a code"."""
    if code in CODES:
        return f"{code} {CODES[code][1]}"
    return f"{code} unknown to warnd" if code else f"{status} without a code" if status else "no code given"


def outcome(code: int | None, *, status: int, retry_after_s: float | None = None) -> Outcome:
    """Return the outcome of a try that was answered with a refusal."""
    reason = word(code, status=status)
    match verdict(code, status=status):
        case Verdict.NUMBER:
            return Failed(reason, retry="permanent")
        case Verdict.THROTTLED:
            return Failed(
                reason, retry="throttled", retry_after_s=THROTTLED_S if retry_after_s is None else retry_after_s
            )
        case Verdict.AMBIGUOUS:
            return Unknown(reason)
        case Verdict.ACCOUNT | Verdict.TRANSIENT:
            return Failed(reason, retry="transient", retry_after_s=retry_after_s)
