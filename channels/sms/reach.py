"""Says why a connection could not be made, in the system's words instead of the library's. Pure."""

import os
import ssl


def why(error: OSError) -> str:
    """Return the reason ("Connection refused"); asyncio's own text repeats the address and not the reason."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS connection: {error.reason}"
    if error.errno is not None and error.errno > 0:  # Names that cannot be found have numbers of their own, below 0.
        return os.strerror(error.errno)
    return error.strerror or str(error)
