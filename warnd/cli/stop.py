"""How a command ends early: one exception that carries what to tell the person and the exit code of DESIGN §10."""

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes that scripts rely on."""

    FINE = 0
    NO = 1  # The answer is no: held, refused, unconfirmed, broken.
    USAGE = 2
    UNREACHABLE = 3  # Cannot reach the daemon or open a file or store.


class Stop(Exception):  # noqa: N818 - it ends a command, which is not always an error
    """The command is over.

    Attributes:
        code: What the process exits with.
    """

    def __init__(self, message: str, *, code: Exit) -> None:
        super().__init__(message)
        self.code = code
