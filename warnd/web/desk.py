"""The desk behind the HTTP door: what the web asks of whoever decides about warnings. The daemon hands it in."""

from typing import Literal, Protocol

from warnd.model.authority import Principal
from warnd.model.preview import Preview
from warnd.model.submission import Submission


class Desk(Protocol):
    """Decides what becomes of documents and of warnings that wait. Returns after the commit."""

    async def submit(self, document: bytes, *, by: Principal) -> Submission:
        """Take one document, at most 2 MiB, whatever is in it."""
        ...

    async def preview(self, document: bytes, *, by: Principal) -> Preview | Submission:
        """Say what releasing the document would do, keeping nothing; a `Submission` says why it cannot be read."""
        ...

    async def approve(self, warning_id: str, *, by: Principal) -> Submission:
        """Release a warning that is held or in review; the fate is HELD if something still stops it.

        Raises:
            UnknownWarning: No warning has this id.
            WrongState: It is not waiting for anybody.
        """
        ...

    async def reject(self, warning_id: str, *, by: Principal, reason: str) -> Submission:
        """Turn down a warning that is held or in review; raises as `approve` does."""
        ...

    async def cancel(
        self, warning_id: str, *, kind: Literal["lift", "retract"], reason: str, by: Principal
    ) -> Submission:
        """Release a Cancel of this warning; the answer's id is the Cancel's.

        Raises:
            UnknownWarning: No warning has this id.
            WrongState: It has ended already.
        """
        ...
