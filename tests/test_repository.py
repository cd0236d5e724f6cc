"""The repository itself: what ships is found wherever it is installed, and what must never be committed is not."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import channels
import warnd
from warnd.resources import shipped

ROOT = Path(__file__).parents[1]
SHIPPED = ("templates", "config", "systemd")

needs_git = pytest.mark.skipif(
    shutil.which("git") is None or not (ROOT / ".git").exists(), reason="not a git checkout, or git is not installed"
)
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def committed() -> list[Path]:
    names = run("git", "ls-files", "-z").stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def texts(*suffixes: str) -> dict[Path, str]:
    """Committed text files by path; the licence and documents of others that tests read are not ours to judge."""
    wanted = [path for path in committed() if not suffixes or path.suffix in suffixes]
    return {path: path.read_text("utf-8", errors="ignore") for path in wanted if path.name != "LICENSE"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without fetching anything."""
    folder = tmp_path_factory.mktemp("wheel")
    built = run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.parametrize("kind", SHIPPED)
def test_an_editable_install_finds_what_ships(kind: str) -> None:
    assert shipped(kind) == ROOT / kind
    assert any(shipped(kind).iterdir())


def test_a_wheel_holds_every_file_that_ships(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        f"warnd/_data/{path.relative_to(ROOT)}"
        for path in committed()
        if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in SHIPPED
    }
    assert expected
    assert expected - inside == set()


def test_a_wheel_finds_what_ships_and_its_own_channels(wheel: Path, tmp_path: Path) -> None:
    """Another well-known package is called channels, too; ours must be the one that is imported."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import channels\n"
        "from warnd.resources import shipped\n"
        "from warnd.settings import load\n"
        "settings = load(shipped('config') / 'warnd.toml', {})\n"
        "print(channels.__file__, settings.plans_file, settings.templates_dir, shipped('systemd'), sep='\\n')\n"
    )
    told = run(sys.executable, "-c", script, tmp_path, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    inside = tmp_path / "warnd" / "_data"
    assert told.stdout.split() == [
        str(tmp_path / "channels" / "__init__.py"),
        str(inside / "config" / "plans.toml"),
        str(inside / "templates"),
        str(inside / "systemd"),
    ]


def test_the_imported_packages_are_those_of_this_checkout() -> None:
    assert [Path(str(package.__file__)).parent for package in (warnd, channels)] == [ROOT / "warnd", ROOT / "channels"]


def test_constraints_pin_every_package_with_hashes_and_name_no_address() -> None:
    text = (ROOT / "constraints.txt").read_text("utf-8")
    assert "://" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) > 50
    assert [
        entry
        for entry in entries
        if not re.match(r"[a-z0-9.-]+==\S+.*?(?: --hash=sha256:|\\\n +--hash=sha256:)", entry)
    ] == []


def test_constraints_pin_what_the_project_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    names = {re.split(r"[^A-Za-z0-9._-]", each)[0].lower() for each in declared}
    pinned = set(re.findall(r"^([a-z0-9.-]+)==", (ROOT / "constraints.txt").read_text("utf-8"), flags=re.MULTILINE))
    assert names - pinned == set()


def test_the_floors_are_kept() -> None:
    told = run(Path(sys.executable).parent / "lint-imports")
    assert told.returncode == 0, told.stdout


@needs_git
def test_nothing_unfinished_is_committed() -> None:
    marker = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|NotImplemented" r"Error)\b")
    found = {
        f"{path.relative_to(ROOT)}:{number}"
        for path, text in texts(".py", ".toml", ".md", ".j2", ".html", ".sh", "").items()
        for number, line in enumerate(text.splitlines(), 1)
        if marker.search(line)
    }
    assert found == set()


@needs_git
def test_no_path_of_a_private_machine_and_no_index_is_committed() -> None:
    """Whoever clones this has neither the home folders nor the package index of whoever wrote it."""
    private = re.compile(r"/(?:home|Users|root|work)/\w|\b(?:py" r"pi|pythonhosted|npm" r"js)\.(?:org|com)\b")
    found = {str(path.relative_to(ROOT)) for path, text in texts().items() if private.search(text)}
    assert found == set()


@needs_git
def test_no_secret_is_committed() -> None:
    key = re.compile(r"-----BEGIN [A-Z ]*PRIVATE" r" KEY-----\n")
    assert [path for path, text in texts().items() if key.search(text)] == []


def test_the_licence_is_there_whole() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION" in text
    assert "END OF TERMS AND CONDITIONS" in text


@pytest.fixture(params=sorted((ROOT / "systemd").glob("*.service")), ids=lambda path: path.name)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A shipped unit that starts a program which every machine has; the check is of its keys."""
    source: Path = request.param
    path = tmp_path / source.name
    path.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", source.read_text("utf-8"), flags=re.MULTILINE))
    return path


@needs_systemd
def test_a_unit_has_no_unknown_key(unit: Path) -> None:
    """systemd-analyze only prints unknown keys and still answers 0, so that any output is a defect."""
    told = run("systemd-analyze", "verify", "--man=no", unit)
    assert (told.returncode, told.stdout + told.stderr) == (0, "")


@needs_systemd
def test_a_unit_exposes_next_to_nothing(unit: Path) -> None:
    told = run("systemd-analyze", "security", "--offline=true", "--threshold=20", unit)
    assert told.returncode == 0, told.stdout[-200:]
