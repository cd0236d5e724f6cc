"""Other versions of warnd, run from trees of their own with this environment's packages: the one before, and one that is still to come."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from warnd.ledger import migrations

_ROOT = Path(__file__).parents[2]
_PARTS = ("warnd", "channels", "templates", "config")
NEXT = "9999"
_NEXT_MIGRATION = '''"""What some later version adds."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{head}"


def upgrade() -> None:
    """Add a table, a column that may be empty, and one that has a value of its own."""
    op.create_table("later", sa.Column("no", sa.Integer(), nullable=False), sa.PrimaryKeyConstraint("no", name="pk_later"))
    op.add_column("leg", sa.Column("later", sa.Text(), nullable=True))
    op.add_column("warning", sa.Column("later", sa.Text(), nullable=False, server_default=""))
    op.create_index("ix_leg_later", "leg", ["later"])
'''


def version_at(commit: str, folder: Path) -> Path:
    """Unpack the version at a commit; return its tree. Skips where that history is not there."""
    git = ["git", "-C", str(_ROOT)]
    known = subprocess.run(
        [*git, "cat-file", "-e", f"{commit}^{{commit}}"], check=False, capture_output=True, timeout=30
    )
    if known.returncode != 0:
        pytest.skip(f"the history has no {commit}: a shallow clone, or no clone at all")
    packed = subprocess.run([*git, "archive", commit, *_PARTS], check=True, capture_output=True, timeout=60)
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", folder], input=packed.stdout, check=True, timeout=60)
    return folder


def next_version(folder: Path) -> Path:
    """Make the tree of a version like this one that has one more migration, which only adds."""
    folder.mkdir()
    for part in _PARTS:
        shutil.copytree(_ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    scripts = Path(migrations.__file__).parent
    head = ScriptDirectory(str(scripts)).get_current_head()
    told = _NEXT_MIGRATION.format(revision=NEXT, head=head)
    target = folder / "warnd" / "ledger" / "migrations"
    (target / "versions" / "v9999_later.py").write_text(told, "utf-8")
    known = target / "__init__.py"
    raised = known.read_text("utf-8").replace(f'NEWEST = "{migrations.NEWEST}"', f'NEWEST = "{NEXT}"')
    assert NEXT in raised
    known.write_text(raised, "utf-8")
    return folder


def run(tree: Path, *words: str) -> str:
    """Run a command of that version to its end; return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "warnd", *words],
        cwd=tree,
        env=environ(),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environ() -> dict[str, str]:
    """Return this environment without what sets warnd up."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("WARND_", "PYTHONPATH"))}
