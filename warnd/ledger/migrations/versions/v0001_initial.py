"""The tables as the first version knows them."""

from alembic import op

from warnd.ledger.schema import metadata

revision = "0001"
down_revision = None

_MOVES = """
held>in_review held>dispatching held>rejected held>cancelled held>expired
in_review>dispatching in_review>rejected in_review>cancelled in_review>superseded in_review>expired
dispatching>completed dispatching>cancelled dispatching>superseded dispatching>expired
completed>cancelled completed>superseded completed>expired
held>superseded
""".split()


def upgrade() -> None:
    """Create everything."""
    conn = op.get_bind()
    metadata.create_all(conn)
    for move in _MOVES:
        old, new = move.split(">")
        op.execute(f"INSERT INTO warning_move (old, new) VALUES ('{old}', '{new}')")  # noqa: S608 - constants above
    op.execute(
        "CREATE TRIGGER warning_moves BEFORE UPDATE OF state ON warning WHEN old.state <> new.state "
        "AND NOT EXISTS (SELECT 1 FROM warning_move WHERE warning_move.old = old.state AND warning_move.new = new.state) "
        "BEGIN SELECT RAISE(ABORT, 'illegal move of a warning'); END"
    )
