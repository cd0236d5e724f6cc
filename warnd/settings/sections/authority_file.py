"""The kind of a setting that names the certificates of an authority: read once here, so that a bad file is told at the start."""

import ssl
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from warnd.settings.explain import UnfitError
from warnd.settings.kinds import ExistingFile


def _authority(path: Path) -> Path:
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:
        fix = "Name the PEM file of whoever signed the other side's certificate."
        raise UnfitError(f"{path} holds no certificate of an authority.", fix) from error
    return path


AuthorityFile = Annotated[ExistingFile, AfterValidator(_authority)]
