"""Where the ledger lies."""

from typing import Annotated, Self
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from warnd.settings.explain import UnfitError
from warnd.settings.kinds import SecretText, Table, joined

SQLITE = "sqlite:///"
POSTGRESQL = "postgresql://"


class Store(Table):
    """Where the ledger lies.

    Attributes:
        url: With the password in it, where there is one; never shown as it is.
    """

    url: str = Field(
        default=f"{SQLITE}warnd.sqlite",
        validate_default=True,  # So that the default, too, is joined to the folder.
        description='the ledger\'s address like "sqlite:////var/lib/warnd/warnd.sqlite" or "postgresql://warnd@db.example.org/warnd"',
    )
    password: Annotated[SecretStr | None, SecretText] = Field(
        default=None, alias="password_file", description="a file whose one line is the password of the database's user"
    )

    @property
    def shared(self) -> bool:
        """Whether several workers may serve this store at once."""
        return self.url.startswith(POSTGRESQL)

    @field_validator("url")
    @classmethod
    def _known_store(cls, url: str) -> str:
        if url.startswith(("postgresql:", "postgres:", "postgresql+")):
            return _database(url)
        name = url.removeprefix(SQLITE)
        if name in {url, "", ":memory:"} or "?" in name:
            raise UnfitError(
                f'"{url}" names no SQLite file.',
                f'Write "{SQLITE}PATH"; an absolute PATH begins with "/". For PostgreSQL write "{POSTGRESQL}USER@HOST/DATABASE".',
            )
        return f"{SQLITE}{joined(name).resolve()}"

    @model_validator(mode="after")
    def _with_password(self) -> Self:
        """Put the password into the address, which is how everybody opens the store."""
        if self.password is None:
            return self
        parts = urlsplit(self.url)
        if parts.scheme != "postgresql" or parts.password is not None or not parts.username:
            raise UnfitError(
                "password_file goes with an address of PostgreSQL that names a user and no password.",
                f'Write url = "{POSTGRESQL}USER@HOST/DATABASE", or take password_file out.',
            )
        secret = quote(self.password.get_secret_value(), safe="")
        netloc = f"{parts.username}:{secret}@{parts.netloc.rpartition('@')[2]}"
        object.__setattr__(self, "url", parts._replace(netloc=netloc).geturl())  # Frozen for everybody else.
        return self


def _database(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "postgresql" or not parts.path.strip("/"):
        raise UnfitError(
            f'"{parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()}" names no PostgreSQL database.',
            f'Write "{POSTGRESQL}USER@HOST/DATABASE".',
        )
    return url
