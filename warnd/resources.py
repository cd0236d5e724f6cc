"""Finds the files that ship with warnd: `templates`, `config` and `systemd`.

In a wheel they lie inside the package under `_data`; in an editable install they lie beside it at the top of the checkout.
"""

from importlib.resources import files
from pathlib import Path


def shipped(kind: str) -> Path:
    """Return the folder of shipped files named `kind` ("templates", "config" or "systemd")."""
    package = Path(str(files("warnd")))
    packed = package / "_data" / kind
    return packed if packed.is_dir() else package.parent / kind
