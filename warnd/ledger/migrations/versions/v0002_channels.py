"""What the channels of the second version keep: more addresses, reports by reference, subscriptions, opt-outs, recordings."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_No = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns and tables."""
    op.add_column("recipient_version", sa.Column("apprise", sa.Text(), nullable=True))
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
        "opt_out",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "address", name="pk_opt_out"),
    )
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
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("media", sa.LargeBinary(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_recording"),
    )
    op.create_table(
        "spoken",
        sa.Column("message_no", _No, nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("place", sa.SmallInteger(), nullable=False),
        sa.Column("lang", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("message_no", "purpose", "place", name="pk_spoken"),
    )
