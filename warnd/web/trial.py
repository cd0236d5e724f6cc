"""Tries the templates of the public pages before a start: an operator may have changed them, and a visitor must not find it out."""

import tomllib
from pathlib import Path

from jinja2 import Environment, TemplateSyntaxError

from warnd.resources import shipped

_REFERENCE = "zh"  # Of the shipped words: every language needs the same ones.


def problems(folder: Path) -> list[str]:
    """Return what is wrong with the templates in a folder, each with file, cause and what to do.

    Args:
        folder: `templates_dir`; its pages lie in `web/`.
    """
    web, pattern = folder / "web", shipped("templates") / "web"
    return [*_missing(web, pattern), *_unfit_words(web, pattern), *_unfit_pages(web)]


def _missing(web: Path, pattern: Path) -> list[str]:
    names = sorted(
        path.relative_to(pattern) for path in pattern.rglob("*") if path.is_file() and path.suffix != ".toml"
    )
    lost = [
        f"{web / name}: there is no such file. Copy it from {pattern / name}."
        for name in names
        if not (web / name).is_file()
    ]
    if not any(web.glob("*.toml")):
        lost.append(f"{web}: there are no words of any language. Copy {pattern / _REFERENCE}.toml.")
    return lost


def _unfit_words(web: Path, pattern: Path) -> list[str]:
    needed = tomllib.loads((pattern / f"{_REFERENCE}.toml").read_text("utf-8"))
    found = []
    for path in sorted(web.glob("*.toml")):
        try:
            words = tomllib.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            found.append(f"{path}: {error}. Correct it.")
            continue
        found += [
            f"{path}: {name} is missing. Write it as in {pattern / path.name}." for name in needed if name not in words
        ]
    return found


def _unfit_pages(web: Path) -> list[str]:
    environment = Environment(autoescape=True)
    found = []
    for path in sorted(web.glob("*.j2")):
        try:
            environment.parse(path.read_text("utf-8"))
        except TemplateSyntaxError as error:
            found.append(f"{path}:{error.lineno}: {(error.message or '').rstrip('.')}. Correct the template.")
        except (OSError, ValueError) as error:
            found.append(f"{path}: {error}. Correct the template.")
    return found
