"""The tables. Everything warnd knows for longer than a moment is a row here.

Times are integer milliseconds since 1970 UTC (`Instant`). Numbers called `no` are given in the order in which rows will be claimed,
because order locality decides the store's speed. JSON is text written by `warnd.ledger.values.dumps`.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_No = BigInteger().with_variant(Integer, "sqlite")  # Only INTEGER is SQLite's rowid.
Instant = BigInteger
_Count = SmallInteger().with_variant(
    Integer, "postgresql"
)  # Of tries: one a second for a day is more than two bytes hold there.
STANDING = (
    "turn",
    "good",
    "bad",
    "delays_ms",
    "reports",
    "noted_at",
    "failures",
    "rests",
    "rested_at",
    "rests_until",
    "probe_leg",
    "probe_until",
    "paused_at",
    "paused_until",
)

# ---- the node -------------------------------------------------------------------------------------------------------------------

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),  # "tag": random mark of this store; "salt"; "directory_rev".
    Column("value", Text, nullable=False),
)

token = Table(
    "token",
    metadata,
    Column("no", _No, primary_key=True),
    Column(
        "hash", Text, nullable=False, unique=True
    ),  # SHA-256 of the token; the token itself is printed once and not kept.
    Column("scope", Text, nullable=False),
    Column("senders", Text, nullable=False),  # JSON list; empty = any sender.
    Column("region", Text),  # The subtree that its warnings may target; NULL = the whole jurisdiction.
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)

# Process starts that work, or worked, on this store.
worker = Table(
    "worker",
    metadata,
    Column("writer", Text, primary_key=True),  # As in leases and event chains
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),  # Its last sign of life
)

# Work that one worker of a shared store does at a time.
baton = Table(
    "baton",
    metadata,
    Column("what", Text, primary_key=True),
    Column("writer", Text, nullable=False),
    Column("until", Instant, nullable=False),
)

# Each due run of periodic work, once: whoever writes the row does it.
periodic_run = Table(
    "periodic_run",
    metadata,
    Column("job", Text, primary_key=True),
    Column("slot", Text, primary_key=True),  # Local wall time, so that the hour that a clock change repeats has one run
    Column("due_at", Instant, nullable=False),
    Column("writer", Text, nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("lease_until", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("outcome", Text),  # done, or why it failed
)

# ---- the directory: who and where -----------------------------------------------------------------------------------------------

region = Table(
    "region",
    metadata,
    Column("code", Text, primary_key=True),  # As stored: national codes padded to 12 digits.
    Column("name", Text, nullable=False),
    Column("names", Text, nullable=False, server_default="{}"),  # JSON {language: name}, from columns name_<language>.
    Column("tier", Text, nullable=False),  # province, city, county, township, village
    Column("parent", Text),
    Column("path", Text, nullable=False, unique=True),  # "/<outermost>/…/<code>/": a subtree is one range of it.
    Column("lat", Float),
    Column("lon", Float),
    Column("population", Integer),
    Column("shape", LargeBinary),  # WKB, longitude-latitude order; NULL = known by its point only.
    Column("min_lat", Float),  # The shape's box (or the point), to find candidates without reading shapes.
    Column("min_lon", Float),
    Column("max_lat", Float),
    Column("max_lon", Float),
    Column("from_rev", Integer, nullable=False),
)
Index("ix_region_parent", region.c.parent)
# Holds all that the first look at a polygon's neighbourhood reads, so that it never touches rows with large shapes.
Index(
    "ix_region_box",
    region.c.tier,
    region.c.min_lat,
    region.c.max_lat,
    region.c.min_lon,
    region.c.max_lon,
    region.c.from_rev,
    region.c.path,
)

# What places are searched by; rows may be older than the region, so a finding is compared with it.
region_name = Table(
    "region_name",
    metadata,
    Column("key", Text, primary_key=True),  # As `warnd.model.gazetteer.keys` makes them
    Column("code", Text, primary_key=True),
    sqlite_with_rowid=False,
)

region_alias = Table(
    "region_alias",
    metadata,
    Column("scheme", Text, primary_key=True),  # CAP geocode valueName: SAME, UGC, EMMA_ID …
    Column("value", Text, primary_key=True),
    Column("region", Text, nullable=False),
)

recipient = Table(
    "recipient",
    metadata,
    Column("no", _No, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
)

# A recipient as it stood from one directory revision to the next: planning reads one revision whole, whatever is imported meanwhile.
recipient_version = Table(
    "recipient_version",
    metadata,
    Column("no", _No, primary_key=True),
    Column("recipient_no", _No, ForeignKey("recipient.no"), nullable=False),
    Column("from_rev", Integer, nullable=False),
    Column("to_rev", Integer),  # NULL = current; visible at rev when from_rev <= rev < to_rev.
    Column("kind", Text, nullable=False),  # person, household, organisation, terminal
    Column("name", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("lang", Text, nullable=False),  # BCP 47; "" = the node's first language
    Column("phone", Text),  # E.164, or a short code as imported.
    Column("email", Text),
    Column("lat", Float),
    Column("lon", Float),
    Column("public_key", Text),  # base64url of 32 bytes; terminals.
    Column("apprise", Text),  # Address of a chat or message service, as Apprise writes it; holds secrets.
)
Index("ix_recipient_version_recipient", recipient_version.c.recipient_no, recipient_version.c.from_rev, unique=True)
Index(
    "ix_recipient_version_region",
    recipient_version.c.region,
    recipient_version.c.kind,
    recipient_version.c.recipient_no,
)
Index(
    "ix_recipient_version_point",
    recipient_version.c.lat,
    recipient_version.c.lon,
    recipient_version.c.from_rev,
    recipient_version.c.to_rev,
    recipient_version.c.recipient_no,
    recipient_version.c.region,
    sqlite_where=recipient_version.c.lat.is_not(None),
    postgresql_where=recipient_version.c.lat.is_not(None),
)

seat = Table(
    "seat",
    metadata,
    Column("version_no", _No, ForeignKey("recipient_version.no"), primary_key=True),
    Column("role", Text, primary_key=True),
    Column("region", Text, primary_key=True),
)
Index("ix_seat_region", seat.c.region, seat.c.role, seat.c.version_no)

# ---- warnings and what is sent because of them ------------------------------------------------------------------------------------

warning = Table(
    "warning",
    metadata,
    Column("no", _No, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("chain_id", Text, nullable=False),
    Column("seq", Integer, nullable=False),  # Place in the chain; the first message is 1.
    Column("sender", Text, nullable=False),
    Column("identifier", Text, nullable=False),
    Column("sent", Instant, nullable=False),
    Column("status", Text, nullable=False),
    Column("msg_type", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("level", SmallInteger),  # 1 red … 4 blue; NULL = unknown (held) or a Cancel of something unknown.
    Column("event", Text, nullable=False),
    Column("headline", Text, nullable=False),
    Column("expires", Instant),
    Column("refs", Text, nullable=False),  # CAP <references>: JSON [[sender, identifier, sent], …]
    Column("cancel_kind", Text),  # lift or retract
    Column("state", Text, nullable=False),
    Column("reasons", Text, nullable=False),  # JSON, as in problem details.
    Column("approvals", Text, nullable=False),  # JSON [{by, at, action}, …]
    Column("content_hash", Text, nullable=False),
    Column("document", LargeBinary, nullable=False),  # As it came in.
    Column("received_at", Instant, nullable=False),
    Column("released_at", Instant),
    Column("ended_at", Instant),
    Column("source", Text, nullable=False),  # token:<no>, folder, operator
)
Index("ix_warning_chain", warning.c.chain_id, warning.c.seq)
Index("ix_warning_state", warning.c.state, warning.c.no)
Index(
    "uq_warning_key",
    warning.c.sender,
    warning.c.identifier,
    unique=True,
    sqlite_where=text("state != 'quarantined'"),
    postgresql_where=text("state != 'quarantined'"),
)

# The one table of legal moves; a trigger refuses any other.
warning_move = Table(
    "warning_move",
    metadata,
    Column("old", Text, primary_key=True),
    Column("new", Text, primary_key=True),
)

reference = Table(
    "reference",
    metadata,
    Column("warning_no", _No, ForeignKey("warning.no"), primary_key=True),
    Column("sender", Text, primary_key=True),
    Column("identifier", Text, primary_key=True),
)
Index("ix_reference_key", reference.c.sender, reference.c.identifier)

# Whatever deliveries are made for: a released warning (same id) or a notice.
message = Table(
    "message",
    metadata,
    Column("no", _No, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),  # warning, cancel, notice
    Column("drill", Integer, nullable=False),
    Column("urgency", SmallInteger, nullable=False),  # 0 cancel, 1–4 level, 5–8 the same in drills
    Column("plan", Text, nullable=False),  # JSON snapshot of the plan
    Column("directory_rev", Integer, nullable=False),
    Column("stage", Text, nullable=False),  # What the planner does next; "planned" at the end.
    Column("cursor", Text, nullable=False),  # JSON, meaning depends on the stage
    Column("released_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("planned_at", Instant),
    Column("closed_as", Text),  # expired or withdrawn: then open deliveries count as that, without touching their rows.
    Column("closed_at", Instant),
    Column("chain_id", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("terminal_rule", Text, nullable=False),  # both, either: what confirms a village that has a terminal
    Column("bare_rule", Text, nullable=False),  # officer_and_door, officer: what confirms one that has none
    Column("village_due_by", Instant),  # A village confirmed later than this is late.
    Column(
        "public", Integer, nullable=False
    ),  # 1 = scope Public and status Actual: households and the public site may see it
)
Index("ix_message_open", message.c.closed_as, message.c.stage, message.c.no)
Index("ix_message_chain", message.c.chain_id, message.c.seq)

# Chains that a message of another chain took over: an Update may refer to several.
succession = Table(
    "succession",
    metadata,
    Column("chain_id", Text, primary_key=True),
    Column("message_no", _No, nullable=False),
)
# When each lane last got something taken, by whichever worker, and how many since the store was made.
progress = Table(
    "progress",
    metadata,
    Column("lane", Text, primary_key=True),
    Column("taken_at", Instant, nullable=False),
    Column("taken", BigInteger, nullable=False),
)

# Regions as named by the warning's area, and the recipients whose own point lies in it; written at acceptance, few rows.
target_root = Table(
    "target_root",
    metadata,
    Column("message_no", _No, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("how", Text, nullable=False),  # geocode, polygon, circle
    Column("outside", Integer, nullable=False),  # 1 = outside the jurisdiction: listed, never messaged.
)
target_recipient = Table(
    "target_recipient",
    metadata,
    Column("message_no", _No, primary_key=True),
    Column("recipient_no", _No, primary_key=True),
)

# Every region the message must reach, made from the roots in chunks; villages carry their proof.
target = Table(
    "target",
    metadata,
    Column("no", _No, primary_key=True),
    Column("message_no", _No, nullable=False),
    Column("code", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("tier", Text, nullable=False),
    Column("ancestor", Integer, nullable=False),  # 1 = only an ancestor of what is targeted
    Column("has_terminal", Integer),
    Column("has_officer", Integer),  # An information officer who can be reached
    Column("played_at", Instant),
    Column("answered_at", Instant),
    Column("confirmed_at", Instant),
    Column("late", Integer),
    UniqueConstraint("message_no", "code"),
)
Index(
    "ix_target_order", target.c.message_no, target.c.no
)  # Planning walks a message's regions in the order of their making.
Index(
    "ix_target_unconfirmed",
    target.c.message_no,
    target.c.code,
    target.c.path,  # So that one region's villages are found among all without reading their rows.
    sqlite_where=text("tier = 'village' AND ancestor = 0 AND confirmed_at IS NULL"),
    postgresql_where=text("tier = 'village' AND ancestor = 0 AND confirmed_at IS NULL"),
)
Index(
    "ix_target_confirmed",
    target.c.message_no,
    target.c.confirmed_at,
    sqlite_where=text("tier = 'village' AND ancestor = 0 AND confirmed_at IS NOT NULL"),
    postgresql_where=text("tier = 'village' AND ancestor = 0 AND confirmed_at IS NOT NULL"),
)

delivery = Table(
    "delivery",
    metadata,
    Column("no", _No, primary_key=True),
    Column("message_no", _No, nullable=False),
    Column("recipient_no", _No, nullable=False),
    Column("version_no", _No, nullable=False),  # The recipient as it stood at the message's directory revision.
    Column("purpose", Text, nullable=False),  # warning, cancel, area (told that it is outside the new area)
    Column("subject", Text, nullable=False),  # What it is about where one recipient hears of several things; else ""
    Column("region", Text, nullable=False),
    Column("audience", SmallInteger, nullable=False),  # Index in the plan; -1 = carried over from the replaced message
    Column("proof", SmallInteger, nullable=False),
    Column("evidence", SmallInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_by", Instant),
    Column("breached_at", Instant),
    Column("satisfied_at", Instant),
    UniqueConstraint("message_no", "recipient_no", "purpose", "subject"),
    CheckConstraint("evidence BETWEEN 0 AND 4", name="evidence"),
)
Index("ix_delivery_recipient", delivery.c.recipient_no, delivery.c.message_no)
Index("ix_delivery_region", delivery.c.message_no, delivery.c.region)
Index(
    "ix_delivery_due_by",
    delivery.c.message_no,  # Rows of closed messages, which nobody can be late with any more, are never walked over.
    delivery.c.due_by,
    sqlite_where=text("breached_at IS NULL AND satisfied_at IS NULL AND due_by IS NOT NULL"),
    postgresql_where=text("breached_at IS NULL AND satisfied_at IS NULL AND due_by IS NOT NULL"),
)

# One send that serves many deliveries: a region's topic, the public site.
publication = Table(
    "publication",
    metadata,
    Column("no", _No, primary_key=True),
    Column("message_no", _No, nullable=False),
    Column("channel", Text, nullable=False),
    Column("target", Text, nullable=False),  # region code as stored, "site", "webhook:<name>", or a subscription's hash
    Column("regions", Text),  # JSON list of codes that shall play; NULL = all who read the topic
    Column("lang", Text),  # Of whoever reads it alone; NULL = for all
    Column("purpose", Text),  # As a delivery's; NULL = the message's own kind
    UniqueConstraint("message_no", "channel", "target"),
)

# What is claimed, retried and paced: one delivery, or one publication, by one channel to one address.
leg = Table(
    "leg",
    metadata,
    Column("no", _No, primary_key=True),
    Column("message_no", _No, nullable=False),
    Column("delivery_no", _No),
    Column("publication_no", _No),
    Column("channel", Text, nullable=False),
    Column("address", Text, nullable=False),  # A snapshot: later changes of the directory do not redirect it.
    Column("lane", Text, nullable=False),
    Column("step", SmallInteger, nullable=False),  # Place in the audience's channel order, from 0
    Column("priority", Integer, nullable=False),  # Lower goes first
    # standby (a later channel, not begun), due (to be claimed at due_at), submitting (a network call may be under way), waiting (accepted
    # or unknown; a repeat or the end comes at due_at unless proof comes first), done, failed (for good, or its tries are used up)
    Column("state", Text, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("attempts", _Count, nullable=False),  # All, whatever became of them; the newest attempt's number
    Column("tries", _Count, nullable=False),  # Those that a gateway took and that silence answered
    Column("failures", _Count, nullable=False),  # In a row
    Column("tries_max", SmallInteger, nullable=False),
    Column("wait_ms", Integer, nullable=False),
    Column("repeat", Integer, nullable=False),  # 1 = an earlier try may have arrived
    Column("owner", Text),  # The process start that holds it
    Column("token", Integer, nullable=False),  # Fencing: rises with each claim
    Column("lease_until", Instant),
    Column("last_at", Instant),  # When its last attempt was claimed
    Column("evidence", SmallInteger, nullable=False, server_default="0"),  # The strongest that came by this channel
    CheckConstraint("(delivery_no IS NULL) <> (publication_no IS NULL)", name="one_purpose"),
    UniqueConstraint("delivery_no", "channel", "address"),
    UniqueConstraint("publication_no"),
)
Index(
    "ix_leg_due",  # Messages that are closed drop out of sight without touching their legs.
    leg.c.message_no,
    leg.c.lane,
    leg.c.priority,
    leg.c.due_at,
    leg.c.no,
    sqlite_where=text("state = 'due'"),
    postgresql_where=text("state = 'due'"),
)
Index(
    "ix_leg_waiting",
    leg.c.due_at,
    sqlite_where=text("state = 'waiting'"),
    postgresql_where=text("state = 'waiting'"),
)
Index(
    "ix_leg_leased",
    leg.c.lease_until,
    sqlite_where=text("state = 'submitting'"),
    postgresql_where=text("state = 'submitting'"),
)

Index(
    "ix_leg_standby",  # Who can still be told by another channel when one is blocked.
    leg.c.message_no,
    leg.c.no,
    sqlite_where=text("state = 'standby'"),
    postgresql_where=text("state = 'standby'"),
)

attempt = Table(
    "attempt",
    metadata,
    Column("no", _No, primary_key=True),
    Column("leg_no", _No, nullable=False),
    Column("number", _Count, nullable=False),
    Column("state", Text, nullable=False),  # submitting, accepted, failed, unknown (nobody knows whether it left)
    Column("repeat", Integer, nullable=False),
    Column("parts", SmallInteger, nullable=False),  # SMS segments it went out with
    Column("submitted_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("reference", Text),
    Column("reason", Text),
    Column("sender", Text),  # Which of the channel's senders had it; NULL = it has but one
    UniqueConstraint("leg_no", "number"),
)
Index(
    "ix_attempt_reference",
    attempt.c.reference,
    sqlite_where=text("reference IS NOT NULL"),
    postgresql_where=text("reference IS NOT NULL"),
)

# What all workers share of a lane: its pace, and whose turn it is. Counts are thousandths.
lane_state = Table(
    "lane_state",
    metadata,
    Column("lane", Text, primary_key=True),
    Column("credit", BigInteger, nullable=False),  # Segments that may go out at once
    Column("credited_at", Instant, nullable=False),
    Column("claimed", BigInteger, nullable=False),  # Tries so far, whole
)
# How each sender of a lane fares (`warnd.model.sender.Standing`); "" where the channel has but one.
sender_state = Table(
    "sender_state",
    metadata,
    Column("lane", Text, primary_key=True),
    Column("sender", Text, primary_key=True),
    Column("credit", BigInteger, nullable=False),
    Column("credited_at", Instant, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in STANDING),
    Column("cause", Text),
)

# Every piece of proof as it came in. Append-only.
receipt = Table(
    "receipt",
    metadata,
    Column("no", _No, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("kind", Text, nullable=False),  # report, reply, playback
    Column("key", Text, nullable=False),  # What makes a second copy of it recognisable
    Column("attempt", Text),  # Our attempt id as the provider gave it back
    Column("leg_no", _No),
    Column("number", _Count),
    Column("delivery_no", _No),  # NULL = not matched (yet); kept and shown
    Column("evidence", SmallInteger, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("part", SmallInteger),
    Column("parts", SmallInteger),
    Column("reason", Text),
    Column("at", Instant),  # As the other side tells it
    Column("received_at", Instant, nullable=False),
    Column("raw", Text, nullable=False),
    Column("reference", Text),  # The provider's own id, where it gave back no attempt id
    Column("address", Text),  # Whom it is about, where one reference stands for a batch; whom a reply came from
    UniqueConstraint("channel", "key"),
)
Index(
    "ix_receipt_unmatched",  # Reports that came before the outcome with their reference was recorded.
    receipt.c.channel,
    receipt.c.reference,
    sqlite_where=text("leg_no IS NULL AND reference IS NOT NULL"),
    postgresql_where=text("leg_no IS NULL AND reference IS NOT NULL"),
)
Index("ix_receipt_delivery", receipt.c.delivery_no)
Index("ix_receipt_attempt", receipt.c.leg_no, receipt.c.number)

# Which digit answers which message on one phone; open rows are those without an end.
reply_digit = Table(
    "reply_digit",
    metadata,
    Column("no", _No, primary_key=True),
    Column("address", Text, nullable=False),
    Column("message_no", _No, nullable=False),
    Column("digit", SmallInteger, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("closed_at", Instant),
    UniqueConstraint("address", "message_no"),
)
Index(
    "uq_reply_digit_open",
    reply_digit.c.address,
    reply_digit.c.digit,
    unique=True,
    sqlite_where=text("closed_at IS NULL"),
    postgresql_where=text("closed_at IS NULL"),
)

# Whose answer a reply from an address is: deliveries that asked there. Written with the claim, so that no reply walks a message's legs.
asked = Table(
    "asked",
    metadata,
    Column("address", Text, primary_key=True),
    Column("message_no", _No, primary_key=True),
    Column("delivery_no", _No, primary_key=True),
    Column("channel", Text, nullable=False),
)

# Addresses whose owners asked for no more messages. The public is left alone; holders of seats are told all the same, and it is shown.
opt_out = Table(
    "opt_out",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("address", Text, primary_key=True),
    Column("since", Instant, nullable=False),
)

# Browsers that subscribed to a place; nobody's name is known.
subscription = Table(
    "subscription",
    metadata,
    Column("no", _No, primary_key=True),
    Column("address", Text, nullable=False),  # JSON of the push service's endpoint and the browser's keys
    Column("endpoint_hash", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("lang", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    UniqueConstraint("endpoint_hash", "region"),
)
Index("ix_subscription_region", subscription.c.region, subscription.c.no)

# ---- what loudspeakers say ------------------------------------------------------------------------------------------------------------

# Recordings, synthesised or made by people. Other words may have the same sound, and so the same hash.
recording = Table(
    "recording",
    metadata,
    Column(
        "made_of", Text, primary_key=True
    ),  # Equal for equal words, voice and lexicon, so that nothing is made twice
    Column("sha256", Text, nullable=False),
    Column("media", LargeBinary, nullable=False),
    Column("size", Integer, nullable=False),  # Bytes of `media`
    Column("media_type", Text, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("made_at", Instant, nullable=False),
    Index("ix_recording_sha256", "sha256"),
)
# What a message's commands carry, decided once: a second command of the same (message_id, seq) must say the same (DESIGN §9).
spoken = Table(
    "spoken",
    metadata,
    Column("message_no", _No, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("place", SmallInteger, primary_key=True),  # In speaking order, from 0
    Column("lang", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("sha256", Text),  # NULL = no recording; the terminal's own voice speaks
    Column("url", Text),
    Column("duration_ms", Integer),
    Index("ix_spoken_sha256", "sha256"),
)

# ---- what loudspeakers say of themselves -------------------------------------------------------------------------------------------

terminal_state = Table(
    "terminal_state",
    metadata,
    Column("terminal", Text, primary_key=True),
    Column("drill", Integer, primary_key=True),
    Column("online", Integer, nullable=False),
    Column("since", Instant, nullable=False),  # When `online` last changed
    Column("last_seen", Instant),  # Last sign of life
    Column("boot_id", Text),
    Column("heartbeat_s", Integer),
    Column("clock", Text),
    Column("amplifier", Text),
    Column("volume", Integer),
)

# How far the receipts of one boot are committed without a gap: what `ack` may confirm.
terminal_boot = Table(
    "terminal_boot",
    metadata,
    Column("terminal", Text, primary_key=True),
    Column("drill", Integer, primary_key=True),
    Column("boot_id", Text, primary_key=True),
    Column("contiguous", Integer, nullable=False),
)
# Until when a public key is believed: the directory's own without a row for good, any other only with one.
key_end = Table(
    "key_end",
    metadata,
    Column("terminal", Text, primary_key=True),
    Column("public_key", Text, primary_key=True),
    Column("ends_at", Instant, nullable=False),
)
terminal_receipt = Table(
    "terminal_receipt",
    metadata,
    Column("terminal", Text, primary_key=True),
    Column("drill", Integer, primary_key=True),
    Column("boot_id", Text, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("message_id", Text),
    Column("seq", Integer),
    Column("stage", Text, nullable=False),
    Column("pass_done", Integer, nullable=False),
    Column("played_ms", Integer, nullable=False),
    Column("amplifier", Text, nullable=False),
    Column("reason", Text),
    Column("at", Instant),
    Column("received_at", Instant, nullable=False),
)
Index(
    "ix_terminal_receipt_message",
    terminal_receipt.c.message_id,
    terminal_receipt.c.terminal,
    terminal_receipt.c.received_at,
)

# ---- totals and the record ----------------------------------------------------------------------------------------------------------

# Deliveries by evidence and state, kept in the transaction that changes them; region "" is the whole message.
counter = Table(
    "counter",
    metadata,
    Column("message_no", _No, primary_key=True),
    Column("region", Text, primary_key=True),
    Column("evidence", SmallInteger, primary_key=True),
    Column("state", Text, primary_key=True),
    Column("n", Integer, nullable=False),
)
# What went out and what came of it by channel: "segments" that gateways took, and legs by their exact strongest evidence ("delivered").
channel_tally = Table(
    "channel_tally",
    metadata,
    Column("message_no", _No, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("what", Text, primary_key=True),
    Column("n", Integer, nullable=False),
)
# Villages under each region that is targeted or above one; region "" is the whole message.
village_tally = Table(
    "village_tally",
    metadata,
    Column("message_no", _No, primary_key=True),
    Column("region", Text, primary_key=True),
    Column("targeted", Integer, nullable=False),
    Column("confirmed", Integer, nullable=False),
    Column("late", Integer, nullable=False),
)

# What happened, append-only, chained by hash for each writer. Personal data only as salted commitments.
event = Table(
    "event",
    metadata,
    Column("no", _No, primary_key=True),
    Column("writer", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("kind", Text, nullable=False),
    Column("message_id", Text),
    Column("data", Text, nullable=False),
    Column("prev", Text, nullable=False),
    Column("hash", Text, nullable=False),
    UniqueConstraint("writer", "seq"),
)
Index("ix_event_message", event.c.message_id, event.c.no)
