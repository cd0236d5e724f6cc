"""The tables as the first version knows them, written out: later changes of `schema.py` never change what this migration does."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_No = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Count = sa.SmallInteger().with_variant(sa.Integer(), "postgresql")

_MOVES = [
    "held>in_review",
    "held>dispatching",
    "held>rejected",
    "held>cancelled",
    "held>expired",
    "held>superseded",
    "in_review>dispatching",
    "in_review>rejected",
    "in_review>cancelled",
    "in_review>superseded",
    "in_review>expired",
    "dispatching>completed",
    "dispatching>cancelled",
    "dispatching>superseded",
    "dispatching>expired",
    "completed>cancelled",
    "completed>superseded",
    "completed>expired",
]


def upgrade() -> None:
    """Create everything."""
    for create in (
        _attempt,
        _counter,
        _delivery,
        _event,
        _leg,
        _message,
        _meta,
        _publication,
        _receipt,
        _recipient,
        _region,
        _region_alias,
        _reply_digit,
        _target,
        _target_recipient,
        _target_root,
        _terminal_boot,
        _terminal_receipt,
        _terminal_state,
        _token,
        _village_tally,
        _warning,
        _warning_move,
        _recipient_version,
        _reference,
        _seat,
        _moves,
    ):
        create()


def _moves() -> None:
    """Fill the table of legal moves; the trigger refuses every other."""
    op.bulk_insert(
        sa.table("warning_move", sa.column("old", sa.Text), sa.column("new", sa.Text)),
        [dict(zip(("old", "new"), move.split(">"), strict=True)) for move in _MOVES],
    )
    for statement in _REFUSE_OTHER_MOVES[op.get_bind().dialect.name]:
        op.execute(statement)


_UNKNOWN_MOVE = (
    "old.state <> new.state AND NOT EXISTS "
    "(SELECT 1 FROM warning_move WHERE warning_move.old = old.state AND warning_move.new = new.state)"
)
_REFUSE_OTHER_MOVES = {
    "sqlite": (
        f"""CREATE TRIGGER warning_moves BEFORE UPDATE OF state ON warning WHEN {_UNKNOWN_MOVE}
        BEGIN SELECT RAISE(ABORT, 'illegal move of a warning'); END""",
    ),
    "postgresql": (
        f"""CREATE FUNCTION warning_moves() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF {_UNKNOWN_MOVE} THEN RAISE EXCEPTION 'illegal move of a warning' USING ERRCODE = 'integrity_constraint_violation'; END IF;
        RETURN new; END $$""",
        "CREATE TRIGGER warning_moves BEFORE UPDATE OF state ON warning FOR EACH ROW EXECUTE FUNCTION warning_moves()",
    ),
}


def _attempt() -> None:
    op.create_table(
        "attempt",
        sa.Column("no", _No, nullable=False),
        sa.Column("leg_no", _No, nullable=False),
        sa.Column("number", _Count, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("repeat", sa.Integer(), nullable=False),
        sa.Column("parts", sa.SmallInteger(), nullable=False),
        sa.Column("submitted_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("no", name="pk_attempt"),
        sa.UniqueConstraint("leg_no", "number", name="uq_attempt_leg_no_number"),
    )


def _counter() -> None:
    op.create_table(
        "counter",
        sa.Column("message_no", _No, nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("evidence", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("message_no", "region", "evidence", "state", name="pk_counter"),
    )


def _delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("no", _No, nullable=False),
        sa.Column("message_no", _No, nullable=False),
        sa.Column("recipient_no", _No, nullable=False),
        sa.Column("version_no", _No, nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("audience", sa.SmallInteger(), nullable=False),
        sa.Column("proof", sa.SmallInteger(), nullable=False),
        sa.Column("evidence", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_by", sa.BigInteger(), nullable=True),
        sa.Column("breached_at", sa.BigInteger(), nullable=True),
        sa.Column("satisfied_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("evidence BETWEEN 0 AND 4", name="ck_delivery_evidence"),
        sa.PrimaryKeyConstraint("no", name="pk_delivery"),
        sa.UniqueConstraint(
            "message_no",
            "recipient_no",
            "purpose",
            "subject",
            name="uq_delivery_message_no_recipient_no_purpose_subject",
        ),
    )
    op.create_index(
        "ix_delivery_due_by",
        "delivery",
        ["message_no", "due_by"],
        unique=False,
        sqlite_where=sa.text("breached_at IS NULL AND satisfied_at IS NULL AND due_by IS NOT NULL"),
        postgresql_where=sa.text("breached_at IS NULL AND satisfied_at IS NULL AND due_by IS NOT NULL"),
    )
    op.create_index("ix_delivery_recipient", "delivery", ["recipient_no", "message_no"], unique=False)
    op.create_index("ix_delivery_region", "delivery", ["message_no", "region"], unique=False)


def _event() -> None:
    op.create_table(
        "event",
        sa.Column("no", _No, nullable=False),
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("prev", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("no", name="pk_event"),
        sa.UniqueConstraint("writer", "seq", name="uq_event_writer_seq"),
    )
    op.create_index("ix_event_message", "event", ["message_id", "no"], unique=False)


def _leg() -> None:
    op.create_table(
        "leg",
        sa.Column("no", _No, nullable=False),
        sa.Column("message_no", _No, nullable=False),
        sa.Column("delivery_no", _No, nullable=True),
        sa.Column("publication_no", _No, nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("step", sa.SmallInteger(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", _Count, nullable=False),
        sa.Column("tries", _Count, nullable=False),
        sa.Column("failures", _Count, nullable=False),
        sa.Column("tries_max", sa.SmallInteger(), nullable=False),
        sa.Column("wait_ms", sa.Integer(), nullable=False),
        sa.Column("repeat", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("last_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(delivery_no IS NULL) <> (publication_no IS NULL)", name="ck_leg_one_purpose"),
        sa.PrimaryKeyConstraint("no", name="pk_leg"),
        sa.UniqueConstraint("delivery_no", "channel", "address", name="uq_leg_delivery_no_channel_address"),
        sa.UniqueConstraint("publication_no", name="uq_leg_publication_no"),
    )
    op.create_index(
        "ix_leg_due",
        "leg",
        ["message_no", "lane", "priority", "due_at", "no"],
        unique=False,
        sqlite_where=sa.text("state = 'due'"),
        postgresql_where=sa.text("state = 'due'"),
    )
    op.create_index(
        "ix_leg_leased",
        "leg",
        ["lease_until"],
        unique=False,
        sqlite_where=sa.text("state = 'submitting'"),
        postgresql_where=sa.text("state = 'submitting'"),
    )
    op.create_index(
        "ix_leg_waiting",
        "leg",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )


def _message() -> None:
    op.create_table(
        "message",
        sa.Column("no", _No, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("drill", sa.Integer(), nullable=False),
        sa.Column("urgency", sa.SmallInteger(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("directory_rev", sa.Integer(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("released_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("planned_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_as", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("chain_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("terminal_rule", sa.Text(), nullable=False),
        sa.Column("bare_rule", sa.Text(), nullable=False),
        sa.Column("village_due_by", sa.BigInteger(), nullable=True),
        sa.Column("public", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("no", name="pk_message"),
        sa.UniqueConstraint("id", name="uq_message_id"),
    )
    op.create_index("ix_message_chain", "message", ["chain_id", "seq"], unique=False)
    op.create_index("ix_message_open", "message", ["closed_as", "stage", "no"], unique=False)


def _meta() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )


def _publication() -> None:
    op.create_table(
        "publication",
        sa.Column("no", _No, nullable=False),
        sa.Column("message_no", _No, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("regions", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("no", name="pk_publication"),
        sa.UniqueConstraint("message_no", "channel", "target", name="uq_publication_message_no_channel_target"),
    )


def _receipt() -> None:
    op.create_table(
        "receipt",
        sa.Column("no", _No, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Text(), nullable=True),
        sa.Column("leg_no", _No, nullable=True),
        sa.Column("number", _Count, nullable=True),
        sa.Column("delivery_no", _No, nullable=True),
        sa.Column("evidence", sa.SmallInteger(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("part", sa.SmallInteger(), nullable=True),
        sa.Column("parts", sa.SmallInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("no", name="pk_receipt"),
        sa.UniqueConstraint("channel", "key", name="uq_receipt_channel_key"),
    )
    op.create_index("ix_receipt_attempt", "receipt", ["leg_no", "number"], unique=False)
    op.create_index("ix_receipt_delivery", "receipt", ["delivery_no"], unique=False)


def _recipient() -> None:
    op.create_table(
        "recipient",
        sa.Column("no", _No, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("no", name="pk_recipient"),
        sa.UniqueConstraint("id", name="uq_recipient_id"),
    )


def _region() -> None:
    op.create_table(
        "region",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("names", sa.Text(), server_default="{}", nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("lon", sa.Float(), nullable=True),
        sa.Column("population", sa.Integer(), nullable=True),
        sa.Column("shape", sa.LargeBinary(), nullable=True),
        sa.Column("min_lat", sa.Float(), nullable=True),
        sa.Column("min_lon", sa.Float(), nullable=True),
        sa.Column("max_lat", sa.Float(), nullable=True),
        sa.Column("max_lon", sa.Float(), nullable=True),
        sa.Column("from_rev", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_region"),
        sa.UniqueConstraint("path", name="uq_region_path"),
    )
    op.create_index(
        "ix_region_box",
        "region",
        ["tier", "min_lat", "max_lat", "min_lon", "max_lon", "from_rev", "path"],
        unique=False,
    )
    op.create_index("ix_region_parent", "region", ["parent"], unique=False)


def _region_alias() -> None:
    op.create_table(
        "region_alias",
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("scheme", "value", name="pk_region_alias"),
    )


def _reply_digit() -> None:
    op.create_table(
        "reply_digit",
        sa.Column("no", _No, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("message_no", _No, nullable=False),
        sa.Column("digit", sa.SmallInteger(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("no", name="pk_reply_digit"),
        sa.UniqueConstraint("address", "message_no", name="uq_reply_digit_address_message_no"),
    )
    op.create_index(
        "uq_reply_digit_open",
        "reply_digit",
        ["address", "digit"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )


def _target() -> None:
    op.create_table(
        "target",
        sa.Column("no", _No, nullable=False),
        sa.Column("message_no", _No, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("ancestor", sa.Integer(), nullable=False),
        sa.Column("has_terminal", sa.Integer(), nullable=True),
        sa.Column("has_officer", sa.Integer(), nullable=True),
        sa.Column("played_at", sa.BigInteger(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("late", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("no", name="pk_target"),
        sa.UniqueConstraint("message_no", "code", name="uq_target_message_no_code"),
    )
    op.create_index(
        "ix_target_confirmed",
        "target",
        ["message_no", "confirmed_at"],
        unique=False,
        sqlite_where=sa.text("tier = 'village' AND ancestor = 0 AND confirmed_at IS NOT NULL"),
        postgresql_where=sa.text("tier = 'village' AND ancestor = 0 AND confirmed_at IS NOT NULL"),
    )
    op.create_index("ix_target_order", "target", ["message_no", "no"], unique=False)
    op.create_index(
        "ix_target_unconfirmed",
        "target",
        ["message_no", "code", "path"],
        unique=False,
        sqlite_where=sa.text("tier = 'village' AND ancestor = 0 AND confirmed_at IS NULL"),
        postgresql_where=sa.text("tier = 'village' AND ancestor = 0 AND confirmed_at IS NULL"),
    )


def _target_recipient() -> None:
    op.create_table(
        "target_recipient",
        sa.Column("message_no", _No, nullable=False),
        sa.Column("recipient_no", _No, nullable=False),
        sa.PrimaryKeyConstraint("message_no", "recipient_no", name="pk_target_recipient"),
    )


def _target_root() -> None:
    op.create_table(
        "target_root",
        sa.Column("message_no", _No, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("outside", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("message_no", "code", name="pk_target_root"),
    )


def _terminal_boot() -> None:
    op.create_table(
        "terminal_boot",
        sa.Column("terminal", sa.Text(), nullable=False),
        sa.Column("drill", sa.Integer(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("contiguous", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("terminal", "drill", "boot_id", name="pk_terminal_boot"),
    )


def _terminal_receipt() -> None:
    op.create_table(
        "terminal_receipt",
        sa.Column("terminal", sa.Text(), nullable=False),
        sa.Column("drill", sa.Integer(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("seq", sa.Integer(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("pass_done", sa.Integer(), nullable=False),
        sa.Column("played_ms", sa.Integer(), nullable=False),
        sa.Column("amplifier", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("terminal", "drill", "boot_id", "n", name="pk_terminal_receipt"),
    )
    op.create_index(
        "ix_terminal_receipt_message", "terminal_receipt", ["message_id", "terminal", "received_at"], unique=False
    )


def _terminal_state() -> None:
    op.create_table(
        "terminal_state",
        sa.Column("terminal", sa.Text(), nullable=False),
        sa.Column("drill", sa.Integer(), nullable=False),
        sa.Column("online", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=True),
        sa.Column("boot_id", sa.Text(), nullable=True),
        sa.Column("heartbeat_s", sa.Integer(), nullable=True),
        sa.Column("clock", sa.Text(), nullable=True),
        sa.Column("amplifier", sa.Text(), nullable=True),
        sa.Column("volume", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("terminal", "drill", name="pk_terminal_state"),
    )


def _token() -> None:
    op.create_table(
        "token",
        sa.Column("no", _No, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("senders", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("no", name="pk_token"),
        sa.UniqueConstraint("hash", name="uq_token_hash"),
    )


def _village_tally() -> None:
    op.create_table(
        "village_tally",
        sa.Column("message_no", _No, nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("targeted", sa.Integer(), nullable=False),
        sa.Column("confirmed", sa.Integer(), nullable=False),
        sa.Column("late", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("message_no", "region", name="pk_village_tally"),
    )


def _warning() -> None:
    op.create_table(
        "warning",
        sa.Column("no", _No, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("chain_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("msg_type", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=True),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("headline", sa.Text(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.Column("refs", sa.Text(), nullable=False),
        sa.Column("cancel_kind", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("approvals", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("no", name="pk_warning"),
        sa.UniqueConstraint("id", name="uq_warning_id"),
    )
    op.create_index("ix_warning_chain", "warning", ["chain_id", "seq"], unique=False)
    op.create_index("ix_warning_state", "warning", ["state", "no"], unique=False)
    op.create_index(
        "uq_warning_key",
        "warning",
        ["sender", "identifier"],
        unique=True,
        sqlite_where=sa.text("state != 'quarantined'"),
        postgresql_where=sa.text("state != 'quarantined'"),
    )


def _warning_move() -> None:
    op.create_table(
        "warning_move",
        sa.Column("old", sa.Text(), nullable=False),
        sa.Column("new", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("old", "new", name="pk_warning_move"),
    )


def _recipient_version() -> None:
    op.create_table(
        "recipient_version",
        sa.Column("no", _No, nullable=False),
        sa.Column("recipient_no", _No, nullable=False),
        sa.Column("from_rev", sa.Integer(), nullable=False),
        sa.Column("to_rev", sa.Integer(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("lang", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("lon", sa.Float(), nullable=True),
        sa.Column("public_key", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["recipient_no"], ["recipient.no"], name="fk_recipient_version_recipient_no"),
        sa.PrimaryKeyConstraint("no", name="pk_recipient_version"),
    )
    op.create_index(
        "ix_recipient_version_point",
        "recipient_version",
        ["lat", "lon", "from_rev", "to_rev", "recipient_no", "region"],
        unique=False,
        sqlite_where=sa.text("lat IS NOT NULL"),
        postgresql_where=sa.text("lat IS NOT NULL"),
    )
    op.create_index("ix_recipient_version_recipient", "recipient_version", ["recipient_no", "from_rev"], unique=True)
    op.create_index(
        "ix_recipient_version_region", "recipient_version", ["region", "kind", "recipient_no"], unique=False
    )


def _reference() -> None:
    op.create_table(
        "reference",
        sa.Column("warning_no", _No, nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["warning_no"], ["warning.no"], name="fk_reference_warning_no"),
        sa.PrimaryKeyConstraint("warning_no", "sender", "identifier", name="pk_reference"),
    )
    op.create_index("ix_reference_key", "reference", ["sender", "identifier"], unique=False)


def _seat() -> None:
    op.create_table(
        "seat",
        sa.Column("version_no", _No, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["version_no"], ["recipient_version.no"], name="fk_seat_version_no"),
        sa.PrimaryKeyConstraint("version_no", "role", "region", name="pk_seat"),
    )
    op.create_index("ix_seat_region", "seat", ["region", "role", "version_no"], unique=False)
    # ### end Alembic commands ###
