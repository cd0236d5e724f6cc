"""What the delivery engine keeps from the third version on: who works on the store, periodic work, and how senders fare.

From here on every migration only adds, so that workers of the version before go on beside those of this one.
"""

import sqlalchemy as sa
from alembic import op

from warnd.ledger.migrations.readers import require

revision = "0003"
down_revision = "0002"

_STANDING = (
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


def upgrade() -> None:
    """Add the tables."""
    _workers()
    _periodic_work()
    _lifecycle()
    _senders()
    require(op.get_bind(), revision="0002")


def _workers() -> None:
    op.create_table(
        "worker",
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("writer", name="pk_worker"),
    )
    op.create_table(
        "baton",
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("what", name="pk_baton"),
    )


def _periodic_work() -> None:
    op.create_table(
        "periodic_run",
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("job", "slot", name="pk_periodic_run"),
    )


def _lifecycle() -> None:
    op.create_table(
        "succession",
        sa.Column("chain_id", sa.Text(), nullable=False),
        sa.Column("message_no", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", name="pk_succession"),
    )
    op.create_table(
        "progress",
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("lane", name="pk_progress"),
    )


def _senders() -> None:
    op.add_column("attempt", sa.Column("sender", sa.Text(), nullable=True))
    op.create_index(
        "ix_leg_standby",
        "leg",
        ["message_no", "no"],
        sqlite_where=sa.text("state = 'standby'"),
        postgresql_where=sa.text("state = 'standby'"),
    )
    op.create_table(
        "lane_state",
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("credit", sa.BigInteger(), nullable=False),
        sa.Column("credited_at", sa.BigInteger(), nullable=False),
        sa.Column("claimed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("lane", name="pk_lane_state"),
    )
    op.create_table(
        "sender_state",
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("credit", sa.BigInteger(), nullable=False),
        sa.Column("credited_at", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _STANDING),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("lane", "sender", name="pk_sender_state"),
    )
