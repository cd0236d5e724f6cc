"""Tries the mail server and the mailbox without sending anything."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from channels.email.bags import BagError, bag
from channels.email.options import EmailOptions
from channels.email.session import connected
from channels.email.trouble import ServerTroubleError
from warnd.channel import Finding


async def probe(options: EmailOptions) -> list[Finding]:
    """Return what was found at each."""
    found = [await _server(options)]
    if options.reads_bounces:
        found.append(await _bounces(options))
    return found


async def _server(options: EmailOptions) -> Finding:
    server = options.server
    about = f"mail server {server.where}"
    try:
        async with connected(server) as session:
            await session.keep()
            told = session.told
    except ServerTroubleError as error:
        return Finding(about, wrong=f"{str(error).removeprefix(f'{server.where} ')}.")
    return Finding(about, told=f"{told}, logged in as {server.username}" if server.username else told)


async def _bounces(options: EmailOptions) -> Finding:
    found = bag(options.imap, options.maildir)
    assert found is not None, "asked only where bounces are read"
    about = f"bounces in {options.maildir}" if options.imap is None else "bounces by IMAP"
    threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="email probe")
    try:
        names = await asyncio.get_running_loop().run_in_executor(threads, found.open)  # Each wait in it is bounded.
    except BagError as error:
        return Finding(about, wrong=f"{error}.")
    finally:
        threads.submit(found.close)
        threads.shutdown(wait=False)
    return Finding(about, told=f"mails waiting: {len(names)}")
