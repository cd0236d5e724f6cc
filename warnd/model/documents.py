"""The documents of the HTTP interface (DESIGN §10, §13) as values. Their names are the JSON keys; times are aware UTC.

The ledger's views make them, the web writes them out. Adding a key is allowed, changing one is not: other people's scripts read them.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from warnd.model.coverage import Unheard

LevelWord = Literal["red", "orange", "yellow", "blue"]
EvidenceWord = Literal["none", "accepted", "delivered", "presented", "acknowledged"]
DeliveryWord = Literal["open", "satisfied", "exhausted", "expired", "withdrawn"]


@dataclass(frozen=True, slots=True)
class ReasonDocument:
    """One finding about one place in a warning; `fix` says what to do about it."""

    code: str
    element: str
    cause: str
    fix: str
    verdict: str


@dataclass(frozen=True, slots=True)
class DeliveryCounts:
    """Deliveries by state."""

    open: int = 0
    satisfied: int = 0
    exhausted: int = 0
    expired: int = 0
    withdrawn: int = 0


@dataclass(frozen=True, slots=True)
class EvidenceCounts:
    """Each delivery once, at its exact strongest evidence."""

    none: int = 0
    accepted: int = 0
    delivered: int = 0
    presented: int = 0
    acknowledged: int = 0


@dataclass(frozen=True, slots=True)
class ChannelCounts:
    """Recipients' addresses on one channel, each once at the exact strongest that came by this channel."""

    accepted: int = 0
    delivered: int = 0
    presented: int = 0
    acknowledged: int = 0


@dataclass(frozen=True, slots=True)
class VillageCounts:
    """Villages: `confirmed` includes `confirmed_late`."""

    targeted: int = 0
    confirmed: int = 0
    confirmed_late: int = 0
    unconfirmed: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """How far a warning has come; `planned` is False while recipients are still being worked out.

    Attributes:
        channels: Channel -> what came by it; a person who is told by two channels counts in both.
        segments: Channel -> parts that gateways took so far, repeats included: what it costs. A mail is one.
    """

    deliveries: DeliveryCounts = DeliveryCounts()
    evidence: EvidenceCounts = EvidenceCounts()
    villages: VillageCounts = VillageCounts()
    planned: bool = False
    segments: dict[str, int] = field(default_factory=dict)
    channels: dict[str, ChannelCounts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outlook:
    """When all that is due of a warning now will have gone out, at the speed at which texts leave.

    Attributes:
        due: Tries that could begin now and wait for their turn; those that wait for an answer are not among them.
        done_at: None = nobody can tell: it is still being planned, or a lane stands.
        stuck: The lanes that stand with some of it; `/readyz` says why.
    """

    due: int
    done_at: datetime | None
    stuck: list[str]


@dataclass(frozen=True, slots=True)
class ReferenceDocument:
    """An earlier message that this one updates or cancels."""

    sender: str
    identifier: str
    sent: datetime | None


@dataclass(frozen=True, slots=True)
class Approval:
    """One step of authority: who did what, when."""

    by: str
    at: datetime
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningDocument:
    """One CAP message.

    Attributes:
        level: None while it is unknown (held), and for a Cancel of something unknown.
        cancel_kind: For a Cancel: the danger has passed (lift), or it was sent by mistake (retract); None = neither was said.
        outlook: None = nothing of it waits to go out.
    """

    id: str
    chain_id: str
    seq: int
    sender: str
    identifier: str
    sent: datetime
    status: str
    msg_type: str
    scope: str
    level: LevelWord | None
    event: str
    headline: str
    state: str
    reasons: list[ReasonDocument]
    expires: datetime | None
    references: list[ReferenceDocument]
    cancel_kind: str | None
    approvals: list[Approval]
    received_at: datetime
    released_at: datetime | None
    ended_at: datetime | None
    totals: Totals
    outlook: Outlook | None = None


@dataclass(frozen=True, slots=True)
class WarningPage:
    """Warnings, newest first; `cursor` asks for the next page."""

    warnings: list[WarningDocument]
    cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptDocument:
    """One numbered try: submitting, accepted, failed or unknown; `sender` took it, of several that its channel has."""

    number: int
    state: str
    repeat: bool
    parts: int
    submitted_at: datetime
    ended_at: datetime | None
    reference: str | None
    reason: str | None
    sender: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegDocument:
    """One delivery by one channel to one address, which is masked."""

    channel: str
    address_masked: str
    state: str
    due_at: datetime | None
    attempts: list[AttemptDocument]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryDocument:
    """The duty to make one recipient hear one message about one subject."""

    id: str
    recipient: str
    region: str
    purpose: str
    subject: str
    proof: EvidenceWord
    evidence: EvidenceWord
    state: DeliveryWord
    due_by: datetime | None
    breached_at: datetime | None
    satisfied_at: datetime | None
    legs: list[LegDocument]


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Deliveries by region and number. A page may hold fewer than asked for, even none, while `cursor` says that more follow."""

    deliveries: list[DeliveryDocument]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class RegionCoverage:
    """One region and the targeted villages under it."""

    code: str
    name: str
    tier: str
    villages_targeted: int
    villages_confirmed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnconfirmedVillage:
    """A village that has not heard, as far as can be shown; `detail` has the terminal's own word."""

    code: str
    name: str
    reason: Unheard
    since: datetime
    detail: str | None
    next_step: str | None = None
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConfirmedAt:
    """Whole seconds from release until 50, 90 and 100 % of the targeted villages were confirmed; None = not yet."""

    p50: int | None = None
    p90: int | None = None
    p100: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Who has heard: regions under `parent`, and the villages that have not, by code, page by page."""

    warning: str
    at: datetime
    regions: list[RegionCoverage]
    unconfirmed: list[UnconfirmedVillage]
    confirmed_at: ConfirmedAt
    cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalDocument:
    """One loudspeaker as it last spoke of itself; never seen = not online."""

    id: str
    name: str
    region: str
    online: bool
    last_seen: datetime | None
    clock: str | None
    amplifier: str | None
    volume: int | None


@dataclass(frozen=True, slots=True)
class TerminalPage:
    """Terminals by region."""

    terminals: list[TerminalDocument]
    cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientDocument:
    """Whoever or whatever is meant to hear, as it stood when the warning was released; addresses masked."""

    id: str
    kind: str
    name: str
    region: str
    lang: str
    phone_masked: str | None
    email_masked: str | None
    apprise_masked: str | None
    seats: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptDocument:
    """One piece of proof as it came in."""

    channel: str
    kind: str
    evidence: EvidenceWord
    failed: bool
    part: int | None
    parts: int | None
    reason: str | None
    at: datetime | None
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackDocument:
    """One signed receipt of a loudspeaker."""

    stage: str
    pass_done: int
    played_ms: int
    amplifier: str
    reason: str | None
    at: datetime | None
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationDocument:
    """One send that serves many, this recipient among them."""

    channel: str
    target: str
    legs: list[LegDocument]


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutDocument:
    """A recipient asked for no more messages at this address; `obliged` = they hold a seat and are told all the same."""

    channel: str
    address_masked: str
    since: datetime
    obliged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why one recipient did or did not hear one warning. `recipient` is None if nobody of that id is in the directory."""

    warning: str
    at: datetime
    asked: str
    recipient: RecipientDocument | None
    deliveries: list[DeliveryDocument]
    receipts: list[ReceiptDocument]
    publications: list[PublicationDocument]
    playbacks: list[PlaybackDocument]
    opted_out: list[OptOutDocument] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class EventDocument:
    """One line of the record of what happened; personal data in it is salted."""

    no: int
    at: datetime
    kind: str
    data: dict[str, object]
