"""What the channels of the second version keep: more addresses, reports by reference, subscriptions, opt-outs, recordings."""

import json

import sqlalchemy as sa
from alembic import op

from warnd.model.gazetteer import keys

revision = "0002"
down_revision = "0001"

_No = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns and tables."""
    op.add_column("recipient_version", sa.Column("apprise", sa.Text(), nullable=True))
    op.add_column("publication", sa.Column("lang", sa.Text(), nullable=True))
    op.add_column("publication", sa.Column("purpose", sa.Text(), nullable=True))
    op.add_column("receipt", sa.Column("reference", sa.Text(), nullable=True))
    op.add_column("receipt", sa.Column("address", sa.Text(), nullable=True))
    op.create_index(
        "ix_receipt_unmatched",
        "receipt",
        ["channel", "reference"],
        unique=False,
        sqlite_where=sa.text("leg_no IS NULL AND reference IS NOT NULL"),
        postgresql_where=sa.text("leg_no IS NULL AND reference IS NOT NULL"),
    )
    op.create_index(
        "ix_attempt_reference",
        "attempt",
        ["reference"],
        unique=False,
        sqlite_where=sa.text("reference IS NOT NULL"),
        postgresql_where=sa.text("reference IS NOT NULL"),
    )
    op.create_table(
        "key_end",
        sa.Column("terminal", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("terminal", "public_key", name="pk_key_end"),
    )
    op.create_table(
        "opt_out",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "address", name="pk_opt_out"),
    )
    op.add_column("leg", sa.Column("evidence", sa.SmallInteger(), server_default="0", nullable=False))
    op.create_table(
        "asked",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("message_no", _No, nullable=False),
        sa.Column("delivery_no", _No, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("address", "message_no", "delivery_no", name="pk_asked"),
    )
    op.execute(
        "INSERT INTO asked (address, message_no, delivery_no, channel) SELECT l.address, l.message_no, d.no, l.channel "
        "FROM leg l JOIN delivery d ON d.no = l.delivery_no JOIN recipient_version v ON v.no = d.version_no "
        "WHERE l.channel = 'sms' AND l.attempts > 0 AND d.purpose = 'warning' AND v.kind NOT IN ('household', 'terminal')"
    )
    op.create_table(
        "channel_tally",
        sa.Column("message_no", _No, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("message_no", "channel", "what", name="pk_channel_tally"),
    )
    op.create_table(
        "region_name",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", "code", name="pk_region_name"),
        sqlite_with_rowid=False,
    )
    _make_regions_findable()
    op.create_table(
        "subscription",
        sa.Column("no", _No, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("endpoint_hash", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("lang", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("no", name="pk_subscription"),
        sa.UniqueConstraint("endpoint_hash", "region", name="uq_subscription_endpoint_hash_region"),
    )
    op.create_index("ix_subscription_region", "subscription", ["region", "no"], unique=False)
    op.create_table(
        "recording",
        sa.Column("made_of", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("media", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("made_of", name="pk_recording"),
    )
    op.create_index("ix_recording_sha256", "recording", ["sha256"], unique=False)
    op.create_table(
        "spoken",
        sa.Column("message_no", _No, nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("place", sa.SmallInteger(), nullable=False),
        sa.Column("lang", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("message_no", "purpose", "place", name="pk_spoken"),
    )
    op.create_index("ix_spoken_sha256", "spoken", ["sha256"], unique=False)


def _make_regions_findable() -> None:
    conn = op.get_bind()
    regions = conn.execute(sa.text("SELECT code, name, names FROM region"))
    for page in regions.partitions(1_000):
        found = [
            {"key": key, "code": row.code} for row in page for key in keys((row.name, *json.loads(row.names).values()))
        ]
        conn.execute(sa.text("INSERT INTO region_name (key, code) VALUES (:key, :code)"), found)
