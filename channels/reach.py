"""Says whether a connection can be made, and why not in the system's words instead of the library's."""

import asyncio
import os
import ssl
from contextlib import suppress


def why(error: OSError) -> str:
    """Return the reason ("Connection refused"); asyncio's own text repeats the address and not the reason."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS connection: {error.reason}"
    if error.errno is not None and error.errno > 0:  # Names that cannot be found have numbers of their own, below 0.
        return os.strerror(error.errno)
    return error.strerror or str(error)


async def look(host: str, port: int, *, tls: ssl.SSLContext | None, timeout_s: float) -> str | None:
    """Open a connection and close it again, without asking anything; return why it cannot be opened, or None."""
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port, ssl=tls)
            writer.close()
            with suppress(OSError):  # It was open, however the other side ends it.
                await writer.wait_closed()
    except TimeoutError:
        return f"no connection within {timeout_s:g} s"
    except OSError as error:
        return why(error)
    except ValueError:  # A host that cannot be written as one (IDNA).
        return f"{host} is no host name"
    return None
