"""How this daemon proves itself to a broker over TLS, and whom it believes to be the broker."""

import ssl
from pathlib import Path

from warnd.model.loudspeaker import KeyFileError


class CertificateError(KeyFileError):
    """A certificate or key file cannot be used; the text says which, why and what to do."""


def context(*, ca_file: Path | None, cert_file: Path | None, key_file: Path | None) -> ssl.SSLContext:
    """Return a context that trusts `ca_file` alone, or the system's authorities, and shows `cert_file` where it is asked for.

    Raises:
        CertificateError: A file cannot be read, or the key is not the certificate's.
    """
    try:
        made = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        cause = f"{ca_file}: holds no certificate of an authority ({error}). Give the PEM file of whoever signed the broker's certificate."
        raise CertificateError(cause) from error
    if cert_file is not None and key_file is not None:
        try:
            made.load_cert_chain(cert_file, key_file, password=_refuse_to_ask)
        except (OSError, ValueError) as error:
            cause = f"{cert_file} and {key_file}: no PEM certificate with its unencrypted key ({error}). Name two that belong together."
            raise CertificateError(cause) from error
    return made


def _refuse_to_ask() -> str:
    """A daemon has nobody to ask for a password."""
    raise ValueError("the key is encrypted")
