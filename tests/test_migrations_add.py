"""From the third on migrations only add: a version that does not know them goes on working beside one that does.

One that takes something away is a contract: it names in `WAITS_FOR` the first version whose programs can do without, and lets no older
one in (`require`).
"""

import ast
from pathlib import Path

import pytest

import warnd.ledger.migrations

FOLDER = Path(warnd.ledger.migrations.__file__).parent / "versions"
BEFORE_THE_RULE = {"v0001_initial.py", "v0002_channels.py"}
ADDING = {"create_table", "create_index", "add_column", "execute", "get_bind"}


def complaints(source: str) -> list[str]:
    """Return what a migration does that a program of the version before could not live with."""
    tree = ast.parse(source)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    if _constant(tree, "WAITS_FOR"):
        return [] if any(_name(call) == "require" for call in calls) else ["a contract that calls no require"]
    made = {_text(call.args[0]) for call in calls if _name(call) == "op.create_table"}
    return [each for call in calls for each in _of_a_call(call, made)]


def _of_a_call(call: ast.Call, made: set[str]) -> list[str]:
    name = _name(call)
    if name.startswith(("op.", "batch_op.")):
        verb = name.partition(".")[2]
        if verb not in ADDING:
            return [f"{name} does not only add"]
        if verb == "add_column":
            return _of_a_column(call)
        if verb == "create_index":
            return _of_an_index(call, made)
        if verb == "execute":
            return _of_sql(call)
    return []


def _of_a_column(call: ast.Call) -> list[str]:
    table, column = call.args
    assert isinstance(column, ast.Call)
    words = {each.arg: each.value for each in column.keywords}
    if "server_default" in words or ast.literal_eval(words.get("nullable", ast.Constant(value=True))) is True:
        return []
    return [f"{_text(table)}.{_text(column.args[0])} is NOT NULL and has no server_default"]


def _of_an_index(call: ast.Call, made: set[str]) -> list[str]:
    unique = {each.arg: each.value for each in call.keywords}.get("unique", ast.Constant(value=False))
    table = _text(call.args[1])
    if ast.literal_eval(unique) is True and table not in made:
        return [f"a unique index refuses rows in {table} that were welcome"]
    return []


def _of_sql(call: ast.Call) -> list[str]:
    statement = _text(call.args[0])
    return [] if statement.upper().startswith("INSERT INTO ") else [f"it executes {statement!r}"]


def _name(call: ast.Call) -> str:
    return ast.unparse(call.func)


def _text(node: ast.expr) -> str:
    return str(ast.literal_eval(node)) if isinstance(node, ast.Constant) else ast.unparse(node)


def _constant(tree: ast.Module, name: str) -> bool:
    names = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    return any(isinstance(target, ast.Name) and target.id == name for target in names)


@pytest.mark.parametrize(
    "path", sorted(set(FOLDER.glob("v*.py")) - {FOLDER / name for name in BEFORE_THE_RULE}), ids=str
)
def test_a_migration_only_adds(path: Path) -> None:
    assert complaints(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ('op.drop_column("leg", "lane")', "op.drop_column"),
        ('op.drop_table("leg")', "op.drop_table"),
        ('op.alter_column("leg", "lane", nullable=False)', "op.alter_column"),
        ('op.rename_table("leg", "limb")', "op.rename_table"),
        ('op.batch_alter_table("leg")', "op.batch_alter_table"),
        ('op.create_unique_constraint("uq", "leg", ["no"])', "op.create_unique_constraint"),
        ('op.create_check_constraint("ck", "leg", "no > 0")', "op.create_check_constraint"),
        ('op.add_column("leg", sa.Column("hue", sa.Text(), nullable=False))', "leg.hue is NOT NULL"),
        ('op.create_index("ix", "leg", ["lane"], unique=True)', "a unique index"),
        ("op.execute(\"UPDATE leg SET lane = ''\")", "it executes"),
        ('op.execute("CREATE TRIGGER t BEFORE INSERT ON leg BEGIN SELECT 1; END")', "it executes"),
        ('WAITS_FOR = "9.9"\nop.drop_table("leg")', "calls no require"),
    ],
)
def test_a_migration_that_takes_away_is_found(step: str, said: str) -> None:
    (complaint,) = complaints(step)
    assert said in complaint


@pytest.mark.parametrize(
    "step",
    [
        'op.create_table("hue", sa.Column("no", sa.Integer(), nullable=False))\nop.create_index("ix", "hue", ["no"], unique=True)',
        'op.add_column("leg", sa.Column("hue", sa.Text(), nullable=False, server_default=""))',
        'op.add_column("leg", sa.Column("hue", sa.Text(), nullable=True))',
        'op.add_column("leg", sa.Column("hue", sa.Text()))',
        'op.execute("INSERT INTO hue (no) SELECT no FROM leg")',
        'WAITS_FOR = "9.9"\nop.drop_table("leg")\nrequire(op.get_bind(), revision="9999")',
    ],
)
def test_what_adds_or_waits_is_let_through(step: str) -> None:
    assert complaints(step) == []
