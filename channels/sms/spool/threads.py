"""A few threads of the spool's own, so that a disk that hangs holds up neither the daemon nor anything else that uses threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Threads:
    """Runs blocking work, each piece bounded by `timeout_s` from when it was asked for."""

    def __init__(self, count: int, *, timeout_s: float) -> None:
        self._pool = ThreadPoolExecutor(max_workers=count, thread_name_prefix="spool")
        self._timeout_s = timeout_s

    async def run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return what `work` returns, or raise what it raises.

        Raises:
            TimeoutError: It was not done in time; it may still be done later.
        """
        async with asyncio.timeout(self._timeout_s):
            return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: work(*args, **kwargs))
