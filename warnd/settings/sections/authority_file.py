"""Settings that name certificates: read once here, so that a bad file is told by `warnd check` and at the start."""

import ssl
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from warnd.settings.explain import UnfitError
from warnd.settings.kinds import ExistingFile


def authority(path: Path) -> Path:
    """Return the file.

    Raises:
        UnfitError: It holds no certificate of an authority.
    """
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:
        fix = "Name the PEM file of whoever signed the other side's certificate."
        raise UnfitError(f"{path} holds no certificate of an authority.", fix) from error
    return path


def fit_together(cert_file: Path, key_file: Path) -> bool:
    """Say whether these are a certificate and its unencrypted private key."""
    try:
        ssl.create_default_context().load_cert_chain(cert_file, key_file, password=_no_password)
    except (OSError, ValueError):
        return False
    return True


def _no_password() -> str:
    raise ValueError("the key is encrypted, and a daemon has nobody to ask")


AuthorityFile = Annotated[ExistingFile, AfterValidator(authority)]
