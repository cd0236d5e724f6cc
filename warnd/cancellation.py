"""Hears a cancellation that a library has swallowed."""

import asyncio


def heed() -> None:
    """Raise what the calling task was cancelled with, if that came to nothing.

    In Python 3.11 `asyncio.wait_for`, by which aiomqtt and aiosmtplib wait, drops a cancellation that comes together with the answer:
    a loop around such a call would never end, and with it the daemon. Only for tasks in which no TaskGroup has failed: that leaves the
    count of cancellations up, too.

    Raises:
        CancelledError: The task was told to end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
