"""What every kind of store offers: operations that run in transactions."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection

P = ParamSpec("P")
T = TypeVar("T")
Operation = Callable[Concatenate[Connection, P], T]


class StoreError(Exception):
    """The store cannot be opened; the text says what, where and what to do."""


class Ledger(Protocol):
    """Where operations run."""

    async def read(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an operation that only reads, in one snapshot."""
        ...

    async def write(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an operation in one transaction, alone in the whole store; it is committed, durably, when this returns."""
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...
