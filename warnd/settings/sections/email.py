"""`[email]`: mail by one submission server."""

from typing import Annotated

from pydantic import Field, SecretStr

from warnd.settings.kinds import Count, Name, Port, Rate, SecretText, Table


class Email(Table):
    """Mail."""

    host: Name = Field(description="the mail server's host name or address")
    port: Port = Field(default=587, description="the mail server's port, 1 to 65535")
    start_tls: bool = Field(default=True, description="true, or false for a server on this machine alone")
    username: Name | None = Field(default=None, description="the user name for the mail server")
    password: Annotated[SecretStr | None, SecretText] = Field(
        default=None, alias="password_file", description="a file whose one line is the password"
    )
    sender: Name = Field(description="the address that mail comes from")
    rate_per_s: Rate = Field(default=500, description="mails per second, above 0")
    concurrency: Count = Field(default=100, description="how many mails may be under way at once, 1 to 10000")
